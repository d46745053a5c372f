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
import {
  checkSimulateOptions,
  type SimulatedKernel,
  type SimulateOptions,
  type Simulation,
} from "../simulated-kernel.ts";
import { idleLimitCycles, stuckText, violations as texts } from "../violations.ts";
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
    checkSimulateOptions(options);
    const folder = mkdtempSync(join(tmpdir(), "nn2fpga-icarus-"));
    try {
      // The program reads memory files and packets from where it runs.
      for (const file of readdirSync(build.folder)) {
        if (file.endsWith(".hex")) symlinkSync(join(build.folder, file), join(folder, file));
      }
      const { inputStream, predicted } = manifest.kernel;
      const padded = padPackets(inputs, count, manifest.inputs, inputStream);
      writeFileSync(join(folder, "in.hex"), beatsText(padded, inputStream.beatBytes));
      await runTool(
        "vvp",
        [
          "-n",
          build.program,
          `+count=${count}`,
          `+stall_in=${options.stallInPercent}`,
          `+stall_out=${options.stallOutPercent}`,
          `+seed=${options.seed}`,
          `+idle=${idleLimitCycles(predicted)}`,
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
    run: async (inputs, count) => {
      const calm = { stallInPercent: 0, stallOutPercent: 0, seed: 1 };
      const { outputs, violations } = await simulate(inputs, count, calm);
      if (violations.length > 0) {
        fail("N2F_SIMULATION_FAILED", violations.join("; "), { at: manifest.name });
      }
      return outputs;
    },
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

/** Lines of the test bench that stand for a broken rule. */
const lineTexts: Readonly<Record<string, string>> = {
  dropped: texts.validDropped,
  changed: texts.dataChanged,
  more: texts.tooMany,
};

function readResult(manifest: Manifest, text: string, count: number): Simulation {
  const { outputStream, predicted } = manifest.kernel;
  const { beats, beatBytes } = outputStream;
  const inputCycles: number[] = [];
  const outputCycles: number[] = [];
  const bytes: Buffer[] = [];
  const violations = new Set<string>();
  for (const line of text.split("\n")) {
    const [what, cycle, last, data] = line.split(" ");
    if (Object.hasOwn(lineTexts, what)) violations.add(lineTexts[what]);
    if (what === "in") inputCycles.push(Number(cycle));
    if (what !== "out") continue;
    if (!/^[0-9a-f]+$/.test(data)) violations.add(texts.unknownBits);
    const known = data.replace(/[^0-9a-f]/g, "0").padStart(beatBytes * 2, "0");
    bytes.push(Buffer.from(known, "hex").reverse());
    const isLast = bytes.length % beats === 0;
    if ((last === "1") !== isLast) violations.add(texts.lastWrong);
    if (Math.ceil(bytes.length / beats) > inputCycles.length) violations.add(texts.tooMany);
    if (isLast) outputCycles.push(Number(cycle));
  }
  if (!/^end$/m.test(text)) {
    fail("N2F_SIMULATION_FAILED", "Icarus Verilog ended early", { at: manifest.name });
  }
  const done = outputCycles.length;
  if (done < count) {
    const accepted = inputCycles.length;
    const idleCycles = idleLimitCycles(predicted);
    violations.add(stuckText({ count, accepted, done, idleCycles }));
  }
  const padded = new Uint8Array(Buffer.concat(bytes)).subarray(0, done * beats * beatBytes);
  return {
    outputs: trimPackets(padded, done, manifest.outputs, manifest.kernel.outputStream),
    inputCycles,
    outputCycles,
    violations: [...violations],
  };
}
