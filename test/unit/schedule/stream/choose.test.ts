import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Resources } from "../../../../src/artifact/index.ts";
import { choosePoints, closestPoints } from "../../../../src/schedule/stream/choose.ts";
import type { FoldingPoint } from "../../../../src/schedule/stream/folding.ts";

const point = (cost: Resources): FoldingPoint => ({
  ...{
    simd: 1,
    pe: 1,
    rows: 1,
    cycles: 1,
    multiplier: 0,
    chain: 1,
    lagCycles: 0,
    memory: 0,
    isParallel: false,
  },
  cost,
});

const costs = fc.record({
  lut: fc.integer({ min: 0, max: 12 }),
  ff: fc.integer({ min: 0, max: 5 }),
  dsp: fc.integer({ min: 0, max: 12 }),
  bram36: fc.integer({ min: 0, max: 8 }),
});
const kinds = ["lut", "ff", "dsp", "bram36"] as const;
const price = (of: Resources) => of.lut + 2 * of.dsp + of.bram36 / 2;

const sum = (points: readonly FoldingPoint[]): Resources =>
  points.reduce(
    (total, { cost }) => ({
      lut: total.lut + cost.lut,
      ff: total.ff + cost.ff,
      dsp: total.dsp + cost.dsp,
      bram36: total.bram36 + cost.bram36,
    }),
    { lut: 0, ff: 0, dsp: 0, bram36: 0 },
  );
const isWithin = (used: Resources, budget: Resources) =>
  kinds.every((kind) => used[kind] <= budget[kind]);

/** All choices, one by one. */
function cheapest(options: readonly FoldingPoint[][], budget: Resources): number | undefined {
  let choices: FoldingPoint[][] = [[]];
  for (const points of options)
    choices = choices.flatMap((some) => points.map((one) => [...some, one]));
  const prices = choices.map(sum).flatMap((used) => (isWithin(used, budget) ? [price(used)] : []));
  return prices.length === 0 ? undefined : Math.min(...prices);
}

const problems = fc.record({
  options: fc.array(fc.array(costs.map(point), { minLength: 1, maxLength: 6 }), {
    minLength: 1,
    maxLength: 5,
  }),
  budget: fc.record({
    lut: fc.integer({ min: 0, max: 40 }),
    ff: fc.integer({ min: 0, max: 20 }),
    dsp: fc.integer({ min: 0, max: 40 }),
    bram36: fc.integer({ min: 0, max: 25 }),
  }),
});

describe("a choice of foldings", () => {
  it("is the cheapest that fits, and is missed only where none fits", () => {
    fc.assert(
      fc.property(problems, ({ options, budget }) => {
        const chosen = choosePoints(options, budget, price);
        const best = cheapest(options, budget);
        expect(chosen === undefined).toBe(best === undefined);
        if (chosen === undefined) return;
        expect(isWithin(sum(chosen), budget)).toBe(true);
        expect(price(sum(chosen))).toBeCloseTo(best as number, 9);
      }),
      { numRuns: 400 },
    );
  });

  it("that is over the budget by little takes one folding of each layer", () => {
    fc.assert(
      fc.property(problems, ({ options, budget }) => {
        const near = closestPoints(options, budget, price);
        expect(near.length).toBe(options.length);
        near.forEach((one, l) => {
          expect(options[l]).toContain(one);
        });
      }),
      { numRuns: 50 },
    );
  });
});
