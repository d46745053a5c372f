import { fail } from "../base/index.ts";
import type { Kernel } from "./device.ts";

export interface SimulateOptions {
  /** Percent of cycles in which the source holds back, 0 to 99. */
  readonly stallInPercent: number;
  /** The same for the sink. */
  readonly stallOutPercent: number;
  readonly seed: number;
}

/** What a simulator saw. */
export interface Simulation {
  /** Packets in the manifest's layout; fewer than went in where the kernel got stuck. */
  readonly outputs: Uint8Array;
  /** Cycle of each input packet's first beat, counted from the end of the reset. */
  readonly inputCycles: readonly number[];
  /** Cycle of each output packet's last beat. */
  readonly outputCycles: readonly number[];
  /** Broken rules of the handshake, and getting stuck; empty where all is well. */
  readonly violations: readonly string[];
}

/** A kernel whose cycles can be counted. */
export interface SimulatedKernel extends Kernel {
  /** The simulator and its version. */
  readonly simulator: string;
  simulate(inputs: Uint8Array, count: number, options: SimulateOptions): Promise<Simulation>;
}

/** @throws N2F_OPTION_INVALID */
export function checkSimulateOptions(options: SimulateOptions): void {
  const { stallInPercent, stallOutPercent, seed } = options;
  for (const percent of [stallInPercent, stallOutPercent]) {
    if (Number.isInteger(percent) && percent >= 0 && percent <= 99) continue;
    fail("N2F_OPTION_INVALID", `a stream cannot stall in ${percent} percent of the cycles`, {
      hint: "Give a whole number from 0 to 99.",
    });
  }
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31) {
    fail("N2F_OPTION_INVALID", `${seed} is no seed`, {
      hint: "Give a whole number from 0 to 2147483647.",
    });
  }
}
