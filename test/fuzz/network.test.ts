import { describe, expect, it } from "vitest";
import { tools } from "../support/hw.ts";
import { randomNetwork } from "./random-network.ts";
import { tryNetwork } from "./try-network.ts";

if (!tools.verilator) console.warn("verilator is not there: random networks are SKIPPED");

/** Seeds of networks that differ much; `npm run fuzz -- --streams` tries any others. */
const seeds = [3, 6, 9, 10, 12, 15, 18, 22, 206, 1167, 1269];

describe.skipIf(!tools.verilator)("random networks as streams", () => {
  it.each(seeds)(
    "have the emulator's bits and the cycles predicted: seed %i",
    async (seed) => {
      const { kind, detail, layers } = await tryNetwork(seed);
      expect({ kind, detail }, layers.join("\n")).toEqual({ kind: "exact", detail: "" });
    },
    120_000,
  );
});

describe("a random network", () => {
  it("is the same for the same seed, and begins alike with fewer layers", () => {
    const whole = randomNetwork(5);
    expect(randomNetwork(5)).toEqual(whole);
    const { layers } = randomNetwork(5, 1);
    expect(layers.length).toBeLessThan(whole.layers.length);
    expect(whole.layers.slice(0, layers.length)).toEqual(layers);
  });
});
