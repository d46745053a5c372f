import { describe, expect, it } from "vitest";
import { type KnobPlan, searchPrecision, type Widths } from "../../../src/precision/index.ts";

/** Knobs whose errors follow the law of quantization exactly: power x 4^-bits, and add up. */
function lawful(powers: readonly number[], macs: readonly number[]) {
  const knobs = powers.map((_, i) => ({
    id: `weight w${i}`,
    part: "weight" as const,
    value: `w${i}` as never,
    node: `layer${i}`,
  }));
  const plan: KnobPlan = {
    knobs,
    products: macs.map((count, i) => ({ macs: count, sides: [undefined, knobs[i].id] })),
  };
  const bitsOf = (widths: Widths, i: number) => widths.knobs.get(knobs[i].id) ?? widths.default;
  const evaluate = (widths: Widths) => {
    const noise = powers.reduce((sum, power, i) => sum + power * 4 ** -bitsOf(widths, i), 0);
    const cost = macs.reduce((sum, count, i) => sum + count * bitsOf(widths, i), 0);
    return {
      sqnrDb: -10 * Math.log10(noise),
      agreement: Math.max(0, 1 - noise),
      cost,
      result: widths,
    };
  };
  return { plan, evaluate };
}

/** The least cost of all widths from 2 to 16 bits. */
function exhaustive({ plan, evaluate }: ReturnType<typeof lawful>, decibel: number): number {
  let best = Infinity;
  const visit = (at: number, knobs: Map<string, number>): void => {
    if (at === plan.knobs.length) {
      const trial = evaluate({ method: "m", default: 16, knobs });
      if (trial.sqnrDb >= decibel && trial.cost < best) best = trial.cost;
      return;
    }
    for (let bits = 2; bits <= 16; bits++) {
      visit(at + 1, new Map(knobs).set(plan.knobs[at].id, bits));
    }
  };
  visit(0, new Map());
  return best;
}

describe("search for widths", () => {
  const network = lawful([3, 0.02, 40], [1000, 6000, 10]);
  const search = (decibel: number) =>
    searchPrecision({
      ...network,
      methods: ["m"],
      target: { kind: "sqnr", decibel },
    });

  it.each([12, 20, 33, 47])(
    "finds widths for %i dB within a few percent of the cheapest of all there are",
    (decibel) => {
      const found = search(decibel);
      expect(found?.trial.sqnrDb).toBeGreaterThanOrEqual(decibel);
      // It is a knapsack: the search is a heuristic, and these are its results.
      expect(found?.trial.cost).toBeLessThanOrEqual(1.08 * exhaustive(network, decibel));
      expect(found?.trial.cost).toBeLessThan(found?.uniform.trial.cost as number);
    },
  );

  it("gives the same widths again", () => {
    expect([...(search(30)?.widths.knobs ?? [])]).toEqual([...(search(30)?.widths.knobs ?? [])]);
  });

  it("tells each knob's own error at the width found", () => {
    const found = search(30);
    found?.knobs.forEach((knob, i) => {
      const power = [3, 0.02, 40][i] * 4 ** -knob.widthBits;
      expect(knob.aloneSqnrDb).toBeCloseTo(-10 * Math.log10(power), 1);
    });
  });

  it("aims at agreement as well", () => {
    const found = searchPrecision({
      ...network,
      methods: ["m"],
      target: { kind: "agreement", share: 0.99 },
    });
    expect(found?.trial.agreement).toBeGreaterThanOrEqual(0.99);
    expect(found?.trial.cost).toBeLessThanOrEqual(exhaustive(network, 20));
  });

  it("gives nothing where 24 bits are too few, or every trial is too wide", () => {
    expect(search(400)).toBeUndefined();
    const target = { kind: "sqnr", decibel: 10 } as const;
    expect(
      searchPrecision({ plan: network.plan, methods: ["m"], target, evaluate: () => undefined }),
    ).toBeUndefined();
  });

  it("takes the cheapest of several ways to choose binary points, and compares with the cheapest too", () => {
    const better = lawful([0.3, 0.002, 4], [1000, 6000, 10]);
    const found = searchPrecision({
      plan: network.plan,
      methods: ["worse", "better"],
      target: { kind: "sqnr", decibel: 30 },
      evaluate: (widths) => (widths.method === "better" ? better : network).evaluate(widths),
    });
    expect(found?.widths.method).toBe("better");
    expect(found?.uniform.method).toBe("better");
  });
});
