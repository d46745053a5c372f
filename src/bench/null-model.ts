import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manifestVersion, type PortTensor, writeBundle } from "../artifact/index.ts";
import { sizeOf } from "../tensor/index.ts";

/** The image network of the first tests of such services: ResNet-50's numbers in and out. */
export const imageModel = {
  name: "image",
  input: { name: "image", shape: [1, 224, 224, 3] },
  output: { name: "scores", shape: [1, 1000] },
} as const;

/**
 * Writes a repository with one model that has the image network's ports and nothing behind them: only a
 * device that computes nothing can load it. Each request is one run, as on a device that takes one image at
 * a time.
 */
export function writeImageRepository(folder: string): void {
  const place = join(folder, imageModel.name);
  mkdirSync(join(place, "1"), { recursive: true });
  writeFileSync(join(place, "config.pbtxt"), `name: "${imageModel.name}"\nmax_batch_size: 1\n`);
  const [input, output] = [port(imageModel.input), port(imageModel.output)];
  const stream = ({ sizeBytes }: PortTensor) => ({ beats: sizeBytes / 4, beatBytes: 4 });
  writeBundle(join(place, "1", "model.n2f"), {
    manifest: {
      manifestVersion,
      name: imageModel.name,
      generator: "nn2fpga bench",
      source: { file: "none", sha256: "0".repeat(64) },
      inputs: [input],
      outputs: [output],
      kernel: {
        architecture: "stream",
        top: "nothing",
        clockMhz: 200,
        reuse: 1,
        maxLevels: 2,
        inputStream: stream(input),
        outputStream: stream(output),
        predicted: { latencyCycles: 1, intervalCycles: 1 },
        resources: { lut: 0, ff: 0, dsp: 0, bram36: 0 },
        sources: ["nothing.sv"],
      },
    },
    files: new Map([
      ["rtl/nothing.sv", "// Ports without a network behind them, for measuring a server.\n"],
    ]),
  });
}

function port({
  name,
  shape,
}: {
  readonly name: string;
  readonly shape: readonly number[];
}): PortTensor {
  return {
    name,
    shape,
    format: { signed: true, width: 8, frac: 4 },
    rounding: "RND",
    overflow: "SAT",
    container: "INT8",
    elementBytes: 1,
    offsetBytes: 0,
    sizeBytes: sizeOf(shape),
    meaning: "real",
  };
}
