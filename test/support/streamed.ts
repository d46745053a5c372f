import { expect } from "vitest";
import { type Bundle, packetBytes, readBundle } from "../../src/artifact/index.ts";
import { openDevice } from "../../src/index.ts";
import { createRtlDevice } from "../../src/runtime/index.ts";
import { makeVectors, measureTiming } from "../../src/verify/index.ts";

/**
 * Runs random codes of the whole of each format through a bundle's Verilog, straight and with random stalls:
 * every bit must be the emulator's, and every cycle as predicted.
 *
 * @param vectors inferences: enough of them to fill what stands between inputs and outputs
 */
export async function expectExact(place: string, vectors: number): Promise<Bundle> {
  const bundle = readBundle(place);
  const { inputs, outputs, kernel } = bundle.manifest;
  const golden = bundle.read("golden/inputs.bin").subarray(0, packetBytes(inputs));
  const { packets, count } = makeVectors(inputs, golden, new Uint8Array(), vectors, 1);
  const chosen = packets.subarray((count - vectors) * packetBytes(inputs));
  const emulatorDevice = openDevice("emulator");
  const emulator = await emulatorDevice.load(bundle);
  const expected = await emulator.run(chosen, vectors);
  const rtl = await createRtlDevice({}).load(bundle);
  try {
    const free = { stallInPercent: 0, stallOutPercent: 0, seed: 1 };
    const straight = await rtl.simulate(chosen, vectors, free);
    expect(measureTiming(straight)).toEqual(kernel.predicted);
    const stalling = { stallInPercent: 30, stallOutPercent: 30, seed: 2 };
    const stalled = await rtl.simulate(chosen, vectors, stalling);
    for (const { outputs: answers, violations } of [straight, stalled]) {
      expect(violations).toEqual([]);
      expect(answers.length).toBe(vectors * packetBytes(outputs));
      expect(Buffer.compare(answers, expected)).toBe(0);
    }
  } finally {
    await rtl.close();
    await emulator.close();
    await emulatorDevice.close();
  }
  return bundle;
}
