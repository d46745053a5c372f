/** n2f_mvu and the dot products in it: exact results, handshakes of every cycle, DSP slices and block RAM. */
import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import {
  dotLut,
  dotPair,
  exactChain,
  isExactChain,
  type MvuParameters,
  mvu,
  mvuFolds,
  mvuMemories,
  packWord,
  pairedChain,
  pairedDelay,
} from "../../src/hwlib/index.ts";
import {
  buildFlowBench,
  checkFlow,
  type FlowBench,
  type FlowCase,
  flowCase,
  randomCode,
  traffics,
} from "../support/flow.ts";
import {
  buildVectorBench,
  instance,
  primitives,
  rtlFiles,
  temporaryFolder,
  tools,
} from "../support/hw.ts";

const seed = 20261124;

const common = {
  ...{
    ROWS: 1,
    PARALLEL: false,
    X_W: 8,
    X_SIGNED: true,
    W_W: 8,
    ACC_W: 24,
    MULTIPLIER: 1,
    MEMORY: 0,
  },
};

/** Of chains that are exact for all weights the longest one. */
function longestChain(SIMD: number, params: Pick<MvuParameters, "X_W" | "X_SIGNED" | "W_W">) {
  return Math.max(1, Math.min(SIMD, 16, pairedChain(params)));
}

/** K, N, SIMD, PE, and what differs. */
const shapes: [number, number, number, number, Partial<MvuParameters>][] = [
  // One step a vector.
  [1, 1, 1, 1, {}],
  [7, 3, 7, 3, { X_SIGNED: false }],
  [7, 3, 7, 3, { PARALLEL: true, MULTIPLIER: 2 }],
  [33, 2, 33, 2, { MULTIPLIER: 2, ACC_W: 30 }],
  // Steps along x only, along y only.
  [12, 2, 3, 2, { MULTIPLIER: 0 }],
  [12, 2, 3, 2, { PARALLEL: true, MULTIPLIER: 2, X_SIGNED: false }],
  [4, 12, 4, 3, { MULTIPLIER: 2 }],
  [4, 12, 4, 3, { PARALLEL: true, MULTIPLIER: 0 }],
  // Both; folds that do not divide.
  [12, 8, 4, 2, { MULTIPLIER: 2 }],
  [12, 8, 4, 2, { PARALLEL: true }],
  [13, 7, 4, 3, { MULTIPLIER: 2, X_SIGNED: false, MEMORY: 1 }],
  [13, 7, 4, 3, { PARALLEL: true, MULTIPLIER: 2, MEMORY: 1 }],
  [13, 7, 5, 2, { MULTIPLIER: 0, MEMORY: 1 }],
  [27, 16, 9, 5, { MULTIPLIER: 2, ROWS: 1 }],
  [9, 16, 1, 16, { MULTIPLIER: 2 }],
  [9, 5, 9, 1, { MULTIPLIER: 2 }],
  [40, 6, 20, 3, { MULTIPLIER: 2, X_SIGNED: false }],
  // Vectors side by side.
  [6, 4, 2, 2, { ROWS: 2, MULTIPLIER: 2 }],
  [6, 5, 4, 2, { ROWS: 3, PARALLEL: true, MULTIPLIER: 2 }],
  [5, 4, 2, 4, { ROWS: 2, MULTIPLIER: 0 }],
  // Narrow and wide numbers; sums that wrap.
  [9, 4, 3, 2, { X_W: 1, X_SIGNED: false, W_W: 1, ACC_W: 6, MULTIPLIER: 0 }],
  [9, 4, 3, 2, { X_W: 4, W_W: 4, ACC_W: 9, MULTIPLIER: 2 }],
  [9, 4, 3, 2, { X_W: 2, X_SIGNED: false, W_W: 3, ACC_W: 12, MULTIPLIER: 2 }],
  [8, 4, 4, 2, { X_W: 17, W_W: 25, ACC_W: 64, MULTIPLIER: 1 }],
  [8, 4, 4, 2, { X_W: 16, W_W: 7, ACC_W: 40, MULTIPLIER: 0 }],
  [8, 4, 4, 2, { ACC_W: 7, MULTIPLIER: 2 }],
];

const vectors = 30;

function makeCase(index: number): FlowCase {
  const [K, N, SIMD, PE, rest] = shapes[index];
  const random = new Random(seed + index);
  const BIAS = index % 5 === 4 ? "" : `bias${index}.hex`;
  const WEIGHTS = rest.MULTIPLIER === 2 ? `weights${index}_` : `weights${index}.hex`;
  const draft = { ...common, CHAIN: 0, ...rest, K, N, SIMD, PE, WEIGHTS, BIAS };
  const params = { ...draft, CHAIN: draft.CHAIN || longestChain(SIMD, draft) };
  const { ROWS, PARALLEL, X_W, X_SIGNED, W_W, ACC_W } = params;
  const { SF, NF } = mvuFolds(params);
  // A third of the weights at the ends of their range: worst cases for shared slices.
  const weights = Array.from({ length: N }, () =>
    Array.from({ length: K }, () => randomCode(random, W_W, true)),
  );
  const bias = BIAS === "" ? [] : weights.map(() => randomCode(random, ACC_W, true));
  const inputs: bigint[] = [];
  const outputs: bigint[] = [];
  for (let v = 0; v < vectors; v++) {
    const worst = v % 3 === 0;
    const rows = Array.from({ length: ROWS }, () =>
      Array.from({ length: K }, () =>
        worst && X_SIGNED ? -(1n << BigInt(X_W - 1)) : randomCode(random, X_W, X_SIGNED),
      ),
    );
    const results = rows.map((x) =>
      weights.map((row, n) => row.reduce((sum, w, k) => sum + w * x[k], bias[n] ?? 0n)),
    );
    if (PARALLEL) inputs.push(packWord(rows.flat(), X_W));
    for (let s = 0; s < SF && !PARALLEL; s++) {
      const elements = rows.flatMap((x) =>
        Array.from({ length: SIMD }, (_, i) => x[s * SIMD + i] ?? randomCode(random, X_W, true)),
      );
      inputs.push(packWord(elements, X_W));
    }
    for (let f = 0; f < NF; f++) {
      const elements = results.flatMap((y) =>
        Array.from({ length: PE }, (_, p) => y[f * PE + p] ?? 0n),
      );
      outputs.push(packWord(elements, ACC_W));
    }
  }
  const memories = mvuMemories(params, weights, bias);
  return flowCase(mvu, params, {
    inputs: [{ bits: ROWS * (PARALLEL ? K : SIMD) * X_W, beats: inputs }],
    outputs: [{ bits: ROWS * PE * ACC_W, beats: outputs }],
    files: Object.fromEntries([...memories].filter(([name]) => name !== "")),
  });
}

describe.skipIf(!tools.verilator)(`n2f_mvu under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();
  const cases = shapes.map((_, i) => makeCase(i));
  let bench: FlowBench;
  beforeAll(() => {
    bench = buildFlowBench(folder.path, cases);
  });

  it("takes a vector every SF*NF cycles, and gives its first result after the latency of the twin", () => {
    const results = checkFlow(bench, cases, { seed: 1, pauseIn: 0, pauseOut: 0 });
    results.forEach(({ trace }, i) => {
      const params = cases[i].params as unknown as MvuParameters;
      const taken = trace.flatMap(([, , mask], cycle) => (mask & 1 ? [cycle] : []));
      const given = trace.flatMap(([, , , mask], cycle) => (mask & 1 ? [cycle] : []));
      const { SF, NF } = mvuFolds(params);
      const perVector = params.PARALLEL ? 1 : SF;
      for (let v = 0; v < vectors; v++) {
        expect(taken[v * perVector]).toBe(v * SF * NF);
        expect(given[v * NF]).toBe(v * SF * NF + mvu.latencyCycles(params));
      }
    });
  });

  it.each(traffics)("is exact, in the predicted cycles: %o", (traffic) => {
    checkFlow(bench, cases, traffic);
  });
});

describe.skipIf(!tools.verilator || !tools.yosys)("n2f_mvu as Yosys reads it", () => {
  const folder = temporaryFolder();

  it("computes the same", () => {
    const cases = [2, 4, 10, 12, 17, 20].map(makeCase);
    const bench = buildFlowBench(folder.path, cases, { throughYosys: true });
    checkFlow(bench, cases, { seed: 8, pauseIn: 60, pauseOut: 60 });
  });
});

describe.skipIf(!tools.verilator)("dot products of LUTs and of shared DSP slices", () => {
  const folder = temporaryFolder();

  /** LENGTH, X_W, X_SIGNED, W_W. */
  const sizes: [number, number, boolean, number][] = [
    [1, 1, false, 1],
    [1, 4, true, 3],
    [2, 8, true, 8],
    [7, 8, true, 8],
    [8, 8, true, 8],
    [15, 8, true, 8],
    [4, 8, false, 8],
    [5, 8, false, 8],
    [9, 4, false, 4],
    [3, 5, true, 10],
    [40, 3, true, 5],
  ];

  const lutLanes = sizes.map(([LENGTH, X_W, X_SIGNED, W_W]) => {
    const params = { LENGTH, X_W, X_SIGNED, W_W, Y_W: X_W + W_W + 7 };
    const bits = { xBits: LENGTH * (X_W + W_W), yBits: params.Y_W };
    const ports = { x: `x[0+:${LENGTH * X_W}]`, w: `x[${LENGTH * X_W}+:${LENGTH * W_W}]` };
    return { ...bits, body: instance(dotLut, params, { en: "1'b1", ...ports }) };
  });
  const pairLanes = sizes.map(([LENGTH, X_W, X_SIGNED, W_W]) => {
    const CHAIN = longestChain(LENGTH, { X_W, X_SIGNED, W_W });
    const params = { LENGTH, CHAIN, X_W, X_SIGNED, W_W, Y_W: X_W + W_W + 7 };
    const bits = { xBits: LENGTH * (X_W + 2 * W_W), yBits: 2 * params.Y_W };
    const ports = { x: `x[0+:${LENGTH * X_W}]`, w: `x[${LENGTH * X_W}+:${2 * LENGTH * W_W}]` };
    return { ...bits, body: instance(dotPair, params, { en: "1'b1", ...ports }) };
  });

  /** Of each size: x, w0 and w1 of each cycle; every fourth time all products are the greatest. */
  const random = new Random(seed);
  const cycles = Array.from({ length: 300 }, (_, cycle) =>
    sizes.map(([LENGTH, X_W, X_SIGNED, W_W]) => {
      const lowest = -(1n << BigInt(W_W - 1));
      const extreme = X_SIGNED ? -(1n << BigInt(X_W - 1)) : (1n << BigInt(X_W)) - 1n;
      const kind = cycle % 4;
      const x = Array.from({ length: LENGTH }, () =>
        kind === 0 ? extreme : randomCode(random, X_W, X_SIGNED),
      );
      const [w0, w1] = [0, 1].map((j) =>
        Array.from({ length: LENGTH }, () =>
          kind === 0 || kind === j + 1 ? lowest : randomCode(random, W_W, true),
        ),
      );
      return { x, w0, w1 };
    }),
  );
  const product = (a: readonly bigint[], b: readonly bigint[]) =>
    a.reduce((sum, v, i) => sum + v * b[i], 0n);

  it("are exact as LUTs", () => {
    const bench = buildVectorBench(folder.path, lutLanes, rtlFiles(dotLut));
    const given = bench.run(
      cycles.map((all) =>
        all.map(({ x, w0 }, s) => {
          const [LENGTH, X_W, , W_W] = sizes[s];
          return (packWord(w0, W_W) << BigInt(LENGTH * X_W)) | packWord(x, X_W);
        }),
      ),
    );
    sizes.forEach(([LENGTH, X_W, X_SIGNED, W_W], s) => {
      const params = { LENGTH, X_W, X_SIGNED, W_W, Y_W: X_W + W_W + 7 };
      const latency = dotLut.latencyCycles(params);
      for (let cycle = 0; cycle + latency < cycles.length; cycle++) {
        const { x, w0 } = cycles[cycle][s];
        const y = given[cycle + latency][s];
        expect({ params, cycle, y }).toEqual({
          params,
          cycle,
          y: BigInt.asUintN(params.Y_W, product(x, w0)),
        });
      }
    });
  });

  it.each([
    ["as described", []],
    ["as slices of the device", primitives],
  ])("are exact as pairs, %s", (_, more) => {
    const bench = buildVectorBench(folder.path, pairLanes, [...more, ...rtlFiles(dotPair)]);
    const given = bench.run(
      cycles.map((__, cycle) =>
        sizes.map(([LENGTH, X_W, X_SIGNED, W_W], s) => {
          const CHAIN = longestChain(LENGTH, { X_W, X_SIGNED, W_W });
          // Each element in its own cycle.
          const of = (which: "x" | "w0" | "w1") =>
            Array.from({ length: LENGTH }, (___, i) => {
              const from = cycle - pairedDelay(i, LENGTH, CHAIN);
              return from < 0 ? 0n : cycles[from][s][which][i];
            });
          const w = packWord([...of("w0"), ...of("w1")], W_W);
          return (w << BigInt(LENGTH * X_W)) | packWord(of("x"), X_W);
        }),
      ),
    );
    sizes.forEach(([LENGTH, X_W, X_SIGNED, W_W], s) => {
      const CHAIN = longestChain(LENGTH, { X_W, X_SIGNED, W_W });
      const params = { LENGTH, CHAIN, X_W, X_SIGNED, W_W, Y_W: X_W + W_W + 7 };
      const latency = dotPair.latencyCycles(params);
      for (let cycle = 0; cycle + latency < cycles.length; cycle++) {
        const { x, w0, w1 } = cycles[cycle][s];
        const y = given[cycle + latency][s];
        expect({ params, cycle, y }).toEqual({
          params,
          cycle,
          y: packWord([product(x, w0), product(x, w1)], params.Y_W),
        });
      }
    });
  });

  it("run through chains as long as the weights allow", () => {
    const factors = { X_W: 7, X_SIGNED: false, W_W: 8 };
    const row = (weight: number) => [Array.from({ length: 58 }, () => weight)];
    // 2^17 / 127 = 1032.06.
    expect(exactChain(row(-128), 58, factors, 16)).toBe(8);
    expect(exactChain(row(64), 58, factors, 16)).toBe(15);
    expect(exactChain(row(100), 58, factors, 58)).toBe(10);
    expect(exactChain(row(17), 58, factors, 58)).toBe(58);
    // The halves of a row alone: steps of 29.
    expect(exactChain(row(35), 29, factors, 58)).toBe(29);
    expect(exactChain(row(35), 58, factors, 58)).toBe(29);
    expect(isExactChain({ positive: 1032, negative: 0 }, factors)).toBe(true);
    expect(isExactChain({ positive: 1033, negative: 0 }, factors)).toBe(false);
    const signed = { X_W: 8, X_SIGNED: true, W_W: 8 };
    expect(isExactChain({ positive: 1024, negative: 0 }, signed)).toBe(true);
    expect(isExactChain({ positive: 0, negative: 1024 }, signed)).toBe(false);
  });

  it("share a slice for as many products as cannot leave their bits", () => {
    expect(pairedChain({ X_W: 8, X_SIGNED: true, W_W: 8 })).toBe(7);
    expect(pairedChain({ X_W: 8, X_SIGNED: false, W_W: 8 })).toBe(4);
    expect(pairedChain({ X_W: 4, X_SIGNED: true, W_W: 4 })).toBe(32767);
    expect(pairedChain({ X_W: 19, X_SIGNED: true, W_W: 8 })).toBe(0);
    expect(pairedChain({ X_W: 12, X_SIGNED: true, W_W: 12 })).toBe(0);
  });
});
