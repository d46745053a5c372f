import { layOutPorts, type Manifest, manifestVersion } from "../../../src/artifact/index.ts";
import { makeFormat } from "../../../src/fixed/index.ts";

/** A manifest without files; two inputs of different containers, one output. */
export function sampleManifest(): Omit<Manifest, "files"> {
  const port = (name: string, shape: number[], signed: boolean, width: number) => ({
    name,
    shape,
    dtype: "float" as const,
    precision: {
      format: makeFormat(signed, width, 4),
      rounding: "RND" as const,
      overflow: "SAT" as const,
    },
  });
  return {
    manifestVersion,
    name: "sample",
    generator: "nn2fpga test",
    source: { file: "sample.onnx", sha256: "0".repeat(64) },
    inputs: layOutPorts([port("a", [1, 3], true, 7), port("b", [1, 2], false, 12)]),
    outputs: layOutPorts([port("y", [1, 5], true, 9)]),
    kernel: {
      architecture: "parallel",
      top: "sample_top",
      clockMhz: 200,
      reuse: 1,
      maxLevels: 4,
      inputStream: { beats: 1, beatBytes: 7 },
      outputStream: { beats: 3, beatBytes: 4 },
      predicted: { latencyCycles: 5, intervalCycles: 3 },
      resources: { lut: 10, ff: 20.5, dsp: 0, bram36: 0 },
      sources: ["n2f_pipe.sv", "sample_top.sv"],
    },
  };
}

export function sampleFiles(): Map<string, Uint8Array | string> {
  return new Map<string, Uint8Array | string>([
    ["rtl/sample_top.sv", "module sample_top; endmodule\n"],
    ["rtl/n2f_pipe.sv", "module n2f_pipe; endmodule\n"],
    ["golden/inputs.bin", Uint8Array.of(1, 2, 3, 0, 255)],
    ["empty.txt", ""],
  ]);
}
