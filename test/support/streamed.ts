import { expect } from "vitest";
import type { Bundle } from "../../src/artifact/index.ts";
import { checkStream } from "./stream-check.ts";

/**
 * Random codes through a bundle's Verilog, straight and with random stalls: every bit must be the emulator's, and every
 * cycle as predicted.
 *
 * @param vectors inferences: enough of them to fill what stands between inputs and outputs
 */
export async function expectExact(place: string, vectors: number): Promise<Bundle> {
  const { bundle, measured, faults } = await checkStream(place, vectors);
  expect(faults).toEqual([]);
  expect(measured).toEqual(bundle.manifest.kernel.predicted);
  return bundle;
}
