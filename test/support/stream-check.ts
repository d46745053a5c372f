import { type Bundle, packetBytes, readBundle } from "../../src/artifact/index.ts";
import { openDevice } from "../../src/index.ts";
import { createRtlDevice } from "../../src/runtime/index.ts";
import { makeVectors, measureTiming } from "../../src/verify/index.ts";

/** What a bundle's Verilog did under Verilator. */
export interface StreamCheck {
  readonly bundle: Bundle;
  /** Latency and interval, without stalls. */
  readonly measured: { readonly latencyCycles: number; readonly intervalCycles: number };
  /** What was other than the emulator's, or against the protocol; nothing where all is right. */
  readonly faults: readonly string[];
}

/**
 * Runs random codes of the whole of each format through a bundle's Verilog, straight and with random stalls.
 *
 * @param vectors inferences: enough of them to fill what stands between inputs and outputs
 */
export async function checkStream(place: string, vectors: number): Promise<StreamCheck> {
  const bundle = readBundle(place);
  const { inputs, outputs } = bundle.manifest;
  const golden = bundle.read("golden/inputs.bin").subarray(0, packetBytes(inputs));
  const { packets, count } = makeVectors(inputs, golden, new Uint8Array(), vectors, 1);
  const chosen = packets.subarray((count - vectors) * packetBytes(inputs));
  const emulatorDevice = openDevice("emulator");
  const emulator = await emulatorDevice.load(bundle);
  const expected = await emulator.run(chosen, vectors);
  const rtl = await createRtlDevice({}).load(bundle);
  const faults: string[] = [];
  try {
    const free = { stallInPercent: 0, stallOutPercent: 0, seed: 1 };
    const straight = await rtl.simulate(chosen, vectors, free);
    const stalling = { stallInPercent: 30, stallOutPercent: 30, seed: 2 };
    const stalled = await rtl.simulate(chosen, vectors, stalling);
    for (const [how, { outputs: answers, violations }] of [
      ["straight", straight],
      ["with stalls", stalled],
    ] as const) {
      faults.push(...violations.map((violation) => `${how}: ${violation}`));
      const bytes = vectors * packetBytes(outputs);
      if (answers.length !== bytes)
        faults.push(`${how}: ${answers.length} bytes of answers instead of ${bytes}`);
      const wrong = answers.findIndex((byte, i) => byte !== expected[i]);
      if (wrong >= 0) faults.push(`${how}: byte ${wrong} of the answers is not the emulator's`);
    }
    return { bundle, measured: measureTiming(straight), faults };
  } finally {
    await rtl.close();
    await emulator.close();
    await emulatorDevice.close();
  }
}
