import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { valueId } from "../../../../src/ir/index.ts";
import type { EngineLayer } from "../../../../src/schedule/stream/engine-layer.ts";
import { foldingPoints, folds, type PointCost } from "../../../../src/schedule/stream/folding.ts";
import { isMisfit, solveFolding } from "../../../../src/schedule/stream/solve.ts";
import { loadTarget, targetNames } from "../../../../src/schedule/stream/target.ts";
import { problemOf } from "../../../support/problem.ts";

const layer = (
  name: string,
  vectors: number,
  k: number,
  n: number,
  rows: readonly number[] = [1],
): EngineLayer => ({
  id: valueId(name),
  origin: { node: name, type: "Conv" },
  kind: "conv",
  ...{ vectors, k, n, xBits: 8, xSigned: true, wBits: 8, accBits: 24, hasBias: true, rows },
  twos: [],
  chain: () => 1,
  codes: () => ({ weights: [], bias: [] }),
});

/** Two products in a DSP slice, or none and many LUTs. */
const cost: PointCost = (_, { simd, pe, rows, multiplier, memory }) => ({
  dsp: rows * (multiplier === 0 ? 0 : multiplier === 1 ? simd * pe : simd * Math.ceil(pe / 2)),
  lut: rows * (multiplier === 0 ? 70 * simd * pe : simd * pe) + (memory === 0 ? simd * pe : 0),
  ff: 0,
  bram36: memory === 0 ? 0 : Math.ceil((simd * pe) / 4),
});

const plenty = { lut: 1e9, ff: 1e9, dsp: 1e9, bram36: 1e9 };

describe("foldings", () => {
  it("lists all numbers of steps that do not waste lanes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (length) => {
        const wanted = new Set(Array.from({ length }, (_, i) => Math.ceil(length / (i + 1))));
        expect(folds(length)).toEqual([...wanted].sort((a, b) => a - b));
      }),
    );
  });

  it("cuts 144 numbers into 5 steps of 29", () => {
    const points = foldingPoints(layer("c", 1024, 144, 16), 5120, {}, cost);
    const paired = points.filter(({ multiplier }) => multiplier === 2);
    expect(paired.some(({ simd, pe, cycles }) => simd === 29 && pe === 16 && cycles === 5120)).toBe(
      true,
    );
  });

  it("share no DSP slices on devices whose slices are too narrow", () => {
    const points = foldingPoints(layer("c", 64, 36, 8), 1e6, { hasPairs: false }, cost);
    expect(points.length).toBeGreaterThan(0);
    for (const { multiplier } of points) expect(multiplier).not.toBe(2);
  });
});

describe("the solver", () => {
  it("finds the least interval that any choice has, for budgets of DSP, LUT and BRAM", () => {
    const sizes = fc.record({
      vectors: fc.integer({ min: 1, max: 6 }),
      k: fc.integer({ min: 1, max: 7 }),
      n: fc.integer({ min: 1, max: 5 }),
      most: fc.integer({ min: 1, max: 6 }),
    });
    const budgets = fc.record({
      dsp: fc.integer({ min: 0, max: 20 }),
      lut: fc.integer({ min: 20, max: 900 }),
      bram36: fc.integer({ min: 0, max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(sizes, { minLength: 1, maxLength: 3 }), budgets, (shapes, limits) => {
        const layers = shapes.map(({ vectors, k, n, most }, i) => {
          const rows = [1, 2, 3, 4, 5, 6].filter((r) => r <= most && vectors % r === 0);
          return layer(`l${i}`, vectors, k, n, rows);
        });
        const budget = { ...limits, ff: 1e9 };
        const asked = () => ({});
        const result = solveFolding({ layers, asked, cost, budget, leastInterval: 1 });
        const best = bruteForce(layers, budget);
        expect(isMisfit(result) ? undefined : result.interval).toBe(best);
      }),
      { numRuns: 150 },
    );
  });

  it("takes several vectors in a cycle where one is too slow", () => {
    const layers = [layer("a", 16, 9, 4, [1, 2, 4])];
    const problem = { layers, asked: () => ({}), cost, budget: plenty, leastInterval: 1 };
    const fastest = solveFolding(problem);
    if (isMisfit(fastest)) throw new Error("nothing fits");
    expect(fastest.interval).toBe(4);
    expect(fastest.points.get(layers[0])).toMatchObject({ rows: 4, pe: 4, simd: 9 });
    const asked = solveFolding({ ...problem, wantedInterval: 12 });
    if (isMisfit(asked)) throw new Error("nothing fits");
    expect(asked.points.get(layers[0])).toMatchObject({ rows: 4, pe: 4, simd: 3, cycles: 12 });
  });

  it("takes the least for a rate, and what is asked for by hand", () => {
    const layers = [layer("a", 10, 12, 8), layer("b", 10, 24, 8)];
    const problem = { layers, cost, budget: plenty, leastInterval: 1, wantedInterval: 240 };
    const free = solveFolding({ ...problem, asked: () => ({}) });
    if (isMisfit(free)) throw new Error("nothing fits");
    expect([...free.points.values()].every(({ cycles }) => cycles <= 240)).toBe(true);
    const forced = solveFolding({
      ...problem,
      asked: ({ id }) => (id === "a" ? { pe: 8, simd: 12 } : {}),
    });
    if (isMisfit(forced)) throw new Error("nothing fits");
    expect(forced.points.get(layers[0])).toMatchObject({ pe: 8, simd: 12, cycles: 10 });
  });

  it("says which resource is missing, and how much", () => {
    const budget = { ...plenty, lut: 10 };
    const result = solveFolding({
      layers: [layer("a", 10, 12, 8)],
      asked: () => ({ pe: 8, simd: 12 }),
      cost,
      budget,
      leastInterval: 1,
    });
    expect(isMisfit(result) && (result.nearest?.lut ?? 0) > 10).toBe(true);
  });
});

/** The least interval over all choices, looked at one by one. */
function bruteForce(
  layers: readonly EngineLayer[],
  budget: Record<"lut" | "ff" | "dsp" | "bram36", number>,
): number | undefined {
  const options = layers.map((one) => {
    const all: { readonly cycles: number; readonly cost: ReturnType<PointCost> }[] = [];
    const add = (simd: number, pe: number, rows: number) => {
      const cycles = (one.vectors / rows) * Math.ceil(one.k / simd) * Math.ceil(one.n / pe);
      for (const multiplier of pe > 1 ? [0, 1, 2] : [0, 1]) {
        for (const memory of [0, 1]) {
          const style = { multiplier, chain: 1, lagCycles: 0, memory, isParallel: false };
          const point = { simd, pe, rows, cycles, ...style };
          all.push({ cycles, cost: cost(one, point) });
        }
      }
    };
    for (let simd = 1; simd <= one.k; simd++) {
      for (let pe = 1; pe <= one.n; pe++) add(simd, pe, 1);
      // Vectors side by side: all results of each, in few steps.
      for (const rows of one.rows)
        if (rows > 1 && Math.ceil(one.k / simd) < 4 * rows) add(simd, one.n, rows);
    }
    return all;
  });
  let best: number | undefined;
  const visit = (l: number, used: typeof budget, slowest: number) => {
    if (best !== undefined && slowest >= best) return;
    if (Object.entries(used).some(([kind, n]) => n > budget[kind as "lut"])) return;
    if (l === layers.length) {
      best = slowest;
      return;
    }
    for (const { cycles, cost: c } of options[l]) {
      const sum = {
        lut: used.lut + c.lut,
        ff: 0,
        dsp: used.dsp + c.dsp,
        bram36: used.bram36 + c.bram36,
      };
      visit(l + 1, sum, Math.max(slowest, cycles));
    }
  };
  visit(0, { lut: 0, ff: 0, dsp: 0, bram36: 0 }, 1);
  return best;
}

describe("targets", () => {
  it("are read, with their ceilings", () => {
    expect(targetNames()).toEqual([
      ...["arty-a7-100", "kv260", "pynq-z2", "u250", "u55c", "ultra96", "zcu104"],
    ]);
    for (const name of targetNames()) expect(loadTarget(name).budget.dsp).toBeGreaterThan(100);
    expect(loadTarget("kv260").budget).toMatchObject({ dsp: 1248, lut: 81984 });
    expect(loadTarget("kv260").hasPairs).toBe(true);
    expect(loadTarget("pynq-z2").hasPairs).toBe(false);
  });

  it("that do not exist are an error that lists those that do", () => {
    expect(problemOf(() => loadTarget("kv999"))).toMatchObject({
      code: "N2F_OPTION_INVALID",
      message: "there is no target kv999",
    });
  });
});
