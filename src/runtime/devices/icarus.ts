import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bundle, Manifest } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import { runTool } from "../../tools/index.ts";
import { checkPackets, padPackets, trimPackets } from "../packets.ts";
import type { SimulatedKernel, SimulateOptions, Simulation } from "../simulated-kernel.ts";
import type { RtlDevice, SimulatorOptions } from "./rtl.ts";
import { buildIcarus, type SimulatorBuild } from "./rtl-build.ts";

/** Icarus Verilog on the same files: slow, and another reading of the language. */
export function createIcarusDevice({ onProgress = () => {} }: SimulatorOptions = {}): RtlDevice {
  return {
    info: () => ({ name: "icarus", description: "the Verilog, simulated by Icarus Verilog" }),
    load: async (bundle: Bundle) =>
      icarusKernel(bundle.manifest, await buildIcarus(bundle, onProgress)),
    close: async () => {},
  };
}

function icarusKernel(manifest: Manifest, build: SimulatorBuild): SimulatedKernel {
  const simulate = async (inputs: Uint8Array, count: number, options: SimulateOptions) => {
    checkPackets(manifest, inputs, count);
    const folder = mkdtempSync(join(tmpdir(), "nn2fpga-icarus-"));
    try {
      // The program reads memory files and packets from where it runs.
      for (const file of readdirSync(build.folder)) {
        if (file.endsWith(".hex")) symlinkSync(join(build.folder, file), join(folder, file));
      }
      const { inputStream, predicted } = manifest.kernel;
      const padded = padPackets(inputs, count, manifest.inputs, inputStream);
      writeFileSync(join(folder, "in.hex"), beatsText(padded, inputStream.beatBytes));
      const idle = 1000 + 20 * (predicted.latencyCycles + predicted.intervalCycles);
      await runTool(
        "vvp",
        [
          "-n",
          build.program,
          `+count=${count}`,
          `+stall_in=${options.stallInPercent}`,
          `+stall_out=${options.stallOutPercent}`,
          `+seed=${options.seed}`,
          `+idle=${idle}`,
        ],
        { cwd: folder },
      );
      return readResult(manifest, readFileSync(join(folder, "out.txt"), "utf8"), count);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  return {
    simulator: build.version,
    simulate,
    run: async (inputs, count) =>
      (await simulate(inputs, count, { stallInPercent: 0, stallOutPercent: 0, seed: 1 })).outputs,
    close: async () => {},
  };
}

/** Beats as hexadecimal numbers, a line each. */
function beatsText(bytes: Uint8Array, beatBytes: number): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += beatBytes) {
    lines.push(
      Buffer.from(bytes.subarray(at, at + beatBytes))
        .reverse()
        .toString("hex"),
    );
  }
  return `${lines.join("\n")}\n`;
}

function readResult(manifest: Manifest, text: string, count: number): Simulation {
  const { beats, beatBytes } = manifest.kernel.outputStream;
  const inputCycles: number[] = [];
  const outputCycles: number[] = [];
  const bytes: Buffer[] = [];
  const violations = new Set<string>();
  for (const line of text.split("\n")) {
    const [what, cycle, last, data] = line.split(" ");
    if (what === "in") inputCycles.push(Number(cycle));
    if (what !== "out") continue;
    if (!/^[0-9a-f]+$/.test(data)) violations.add("unknown bits (x) came out");
    bytes.push(
      Buffer.from(data.replace(/[^0-9a-f]/g, "0").padStart(beatBytes * 2, "0"), "hex").reverse(),
    );
    const isLast = bytes.length % beats === 0;
    if ((last === "1") !== isLast)
      violations.add("tlast came at the wrong beat, or not at the last");
    if (isLast) outputCycles.push(Number(cycle));
  }
  if (!text.includes("end")) {
    fail("N2F_SIMULATION_FAILED", "Icarus Verilog ended early", { at: manifest.name });
  }
  const done = outputCycles.length;
  if (done < count)
    violations.add("the kernel got stuck: no transfer for a long time although packets were due");
  const padded = new Uint8Array(Buffer.concat(bytes)).subarray(0, done * beats * beatBytes);
  return {
    outputs: trimPackets(padded, done, manifest.outputs, manifest.kernel.outputStream),
    inputCycles,
    outputCycles,
    violations: [...violations],
  };
}
