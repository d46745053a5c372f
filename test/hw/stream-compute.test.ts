/** Pools, reductions, depthwise, scales, thresholds and products of streams: exact results, every cycle as predicted. */
import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { requantize } from "../../src/fixed/index.ts";
import {
  depthwise,
  depthwiseMemories,
  matmul2,
  packWord,
  pool,
  reduce,
  reduceLanes,
  scale,
  scaleMemory,
  threshold,
  thresholdMemory,
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
import { temporaryFolder, tools } from "../support/hw.ts";

const seed = 20261124;
const random = new Random(seed);
const vectors = 25;

/** `[count]` numbers. */
function codes(count: number, bits: number, signed: boolean): bigint[] {
  return Array.from({ length: count }, () => randomCode(random, bits, signed));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

const operations = [
  (values: readonly bigint[]) => values.reduce((a, b) => (b > a ? b : a)),
  (values: readonly bigint[]) => values.reduce((a, b) => a + b),
  (values: readonly bigint[]) => values.reduce((a, b) => (b < a ? b : a)),
  (values: readonly bigint[]) =>
    BigInt(values.reduce((best, value, i) => (value > values[best] ? i : best), 0)),
];

/** Beats of windows `[row][k][c]`: whole, or tap after tap of every block of channels. */
function windowBeats(
  windows: readonly (readonly (readonly (readonly bigint[])[])[])[],
  PARALLEL: boolean,
  PE: number,
  bits: number,
): bigint[] {
  if (PARALLEL) return windows.map((rows) => packWord(rows.flat(2), bits));
  return windows.flatMap((rows) =>
    range(rows[0][0].length / PE).flatMap((cf) =>
      rows[0].map((_, k) =>
        packWord(
          rows.flatMap((taps) => taps[k].slice(cf * PE, (cf + 1) * PE)),
          bits,
        ),
      ),
    ),
  );
}

/** Beats of PE channels of results `[row][c]`. */
function channelBeats(
  results: readonly (readonly (readonly bigint[])[])[],
  PE: number,
  bits: number,
): bigint[] {
  return results.flatMap((rows) =>
    range(rows[0].length / PE).map((cf) =>
      packWord(
        rows.flatMap((row) => row.slice(cf * PE, (cf + 1) * PE)),
        bits,
      ),
    ),
  );
}

function drawWindows(ROWS: number, K: number, C: number, bits: number, signed: boolean) {
  return range(vectors).map(() =>
    range(ROWS).map(() => range(K).map(() => codes(C, bits, signed))),
  );
}

/** C, K, PE, ROWS, OP, signed. */
const pools: [number, number, number, number, number, boolean][] = [
  [1, 1, 1, 1, 0, true],
  [4, 4, 4, 1, 0, true],
  [4, 4, 2, 1, 0, false],
  [6, 9, 2, 2, 0, true],
  [3, 9, 1, 1, 1, true],
  [4, 5, 4, 2, 1, false],
  [2, 3, 1, 1, 2, true],
  [2, 17, 2, 1, 2, false],
];

function poolCases(): FlowCase[] {
  return pools.flatMap(([C, K, PE, ROWS, OP, X_SIGNED]) =>
    [true, false].map((PARALLEL) => {
      const X_W = 6;
      const Y_W = OP === 1 ? 10 : 6 + (C % 2);
      const windows = drawWindows(ROWS, K, C, X_W, X_SIGNED);
      const results = windows.map((rows) =>
        rows.map((taps) => range(C).map((c) => operations[OP](taps.map((tap) => tap[c])))),
      );
      return flowCase(
        pool,
        { C, K, PE, ROWS, PARALLEL, OP, X_W, X_SIGNED, Y_W },
        {
          inputs: [
            {
              bits: ROWS * (PARALLEL ? K * C : PE) * X_W,
              beats: windowBeats(windows, PARALLEL, PE, X_W),
            },
          ],
          outputs: [{ bits: ROWS * PE * Y_W, beats: channelBeats(results, PE, Y_W) }],
        },
      );
    }),
  );
}

/** C, K, PE, ROWS, signed, MULTIPLIER, MEMORY. */
const depthwises: [number, number, number, number, boolean, number, number][] = [
  [1, 1, 1, 1, true, 1, 0],
  [4, 9, 4, 1, true, 1, 0],
  [6, 9, 2, 1, false, 0, 1],
  [6, 3, 1, 2, true, 1, 1],
  [4, 25, 2, 1, false, 0, 0],
];

function depthwiseCases(): FlowCase[] {
  return depthwises.flatMap(([C, K, PE, ROWS, X_SIGNED, MULTIPLIER, MEMORY], i) =>
    [true, false].map((PARALLEL) => {
      const [X_W, W_W, ACC_W] = [8, 7, 21];
      const WEIGHTS = `depthwise${i}_${PARALLEL}.hex`;
      const BIAS = `depthwise_bias${i}_${PARALLEL}.hex`;
      const params = {
        ...{ C, K, PE, ROWS, PARALLEL, X_W, X_SIGNED, W_W, ACC_W },
        ...{ MULTIPLIER, MEMORY, WEIGHTS, BIAS },
      };
      const weights = range(C).map(() => codes(K, W_W, true));
      const bias = codes(C, ACC_W, true);
      const windows = drawWindows(ROWS, K, C, X_W, X_SIGNED);
      const results = windows.map((rows) =>
        rows.map((taps) =>
          weights.map((row, c) => row.reduce((sum, w, k) => sum + w * taps[k][c], bias[c])),
        ),
      );
      const memories = depthwiseMemories(params, weights, bias);
      return flowCase(depthwise, params, {
        inputs: [
          {
            bits: ROWS * (PARALLEL ? K * C : PE) * X_W,
            beats: windowBeats(windows, PARALLEL, PE, X_W),
          },
        ],
        outputs: [{ bits: ROWS * PE * ACC_W, beats: channelBeats(results, PE, ACC_W) }],
        files: { [WEIGHTS]: memories.weights, [BIAS]: memories.bias },
      });
    }),
  );
}

function reduceCases(): FlowCase[] {
  const shapes = [
    [1, 1, 1],
    [1, 3, 2],
    [9, 1, 3],
    [7, 4, 2],
    [16, 2, 1],
  ];
  return shapes.flatMap(([PIXELS, BEATS, P]) =>
    [0, 1, 2].map((OP) => {
      const X_SIGNED = (OP + P) % 2 === 0;
      const [X_W, Y_W] = [7, OP === 1 ? 12 : 7];
      const images = range(6).map(() => range(PIXELS).map(() => codes(BEATS * P, X_W, X_SIGNED)));
      const results = images.map((pixels) => [
        range(BEATS * P).map((c) => operations[OP](pixels.map((pixel) => pixel[c]))),
      ]);
      return flowCase(
        reduce,
        { PIXELS, BEATS, P, OP, X_W, X_SIGNED, Y_W },
        {
          inputs: [
            {
              bits: P * X_W,
              beats: channelBeats(
                images.flat().map((row) => [row]),
                P,
                X_W,
              ),
            },
          ],
          outputs: [{ bits: P * Y_W, beats: channelBeats(results, P, Y_W) }],
        },
      );
    }),
  );
}

function reduceLanesCases(): FlowCase[] {
  const shapes = [
    [1, 1],
    [5, 1],
    [10, 4],
    [12, 3],
    [10, 10],
    [17, 16],
    [9, 2],
  ];
  return shapes.flatMap(([V, P]) =>
    [0, 1, 2, 3].flatMap((OP) =>
      [true, false].map((X_SIGNED) => {
        // Few values, so that the greatest is there more than once.
        const X_W = OP === 3 ? 3 : 8;
        const Y_W = OP === 1 ? 13 : OP === 3 ? 6 : 8;
        const lists = range(vectors).map(() => codes(V, X_W, X_SIGNED));
        const beats = lists.flatMap((list) =>
          range(Math.ceil(V / P)).map((b) =>
            packWord(
              range(P).map((p) => list[b * P + p] ?? randomCode(random, X_W, X_SIGNED)),
              X_W,
            ),
          ),
        );
        return flowCase(
          reduceLanes,
          { V, P, OP, X_W, X_SIGNED, Y_W },
          {
            inputs: [{ bits: P * X_W, beats }],
            outputs: [{ bits: Y_W, beats: lists.map(operations[OP]) }],
          },
        );
      }),
    ),
  );
}

/** Beats of pixels `[row][channel]`. */
function pixelBeats(
  pixels: readonly (readonly (readonly bigint[])[])[],
  P: number,
  bits: number,
): bigint[] {
  return channelBeats(pixels, P, bits);
}

function scaleCases(): FlowCase[] {
  return [
    [1, 1, 1],
    [2, 1, 3],
    [3, 2, 2],
    [4, 1, 1],
  ].map(([P, ROWS, BEATS], i) => {
    const X_SIGNED = i % 2 === 0;
    const Y_SIGNED = i < 2;
    const CONSTANTS = `scale${i}.hex`;
    const [X_W, M_W, O_W, Y_W, SHIFT] = [16, 12, 18, 8, 14 + i];
    const overflow = (["SAT", "SAT_SYM", "WRAP", "SAT"] as const)[i];
    const rounding = (["TRN", "RND", "RND_CONV", "TRN_ZERO"] as const)[i];
    const params = {
      ...{ P, ROWS, BEATS, X_W, X_SIGNED, M_W, O_W, Y_W, Y_SIGNED, SHIFT },
      ...{ ROUNDING: i, OVERFLOW: [0, 1, 2, 0][i], CONSTANTS },
    };
    const factors = codes(P * BEATS, M_W, true);
    const offsets = codes(P * BEATS, O_W, true);
    const pixels = range(vectors).map(() => range(ROWS).map(() => codes(P * BEATS, X_W, X_SIGNED)));
    const format = { signed: Y_SIGNED, width: Y_W, frac: 0 };
    const results = pixels.map((rows) =>
      rows.map((row) =>
        row.map((x, c) =>
          requantize(x * factors[c] + offsets[c], SHIFT, format, rounding, overflow),
        ),
      ),
    );
    return flowCase(scale, params, {
      inputs: [{ bits: ROWS * P * X_W, beats: pixelBeats(pixels, P, X_W) }],
      outputs: [{ bits: ROWS * P * Y_W, beats: pixelBeats(results, P, Y_W) }],
      files: { [CONSTANTS]: scaleMemory(params, factors, offsets) },
    });
  });
}

function thresholdCases(): FlowCase[] {
  return [
    [1, 1, 1, 1],
    [2, 1, 3, 2],
    [3, 2, 1, 4],
    [1, 1, 5, 3],
  ].map(([P, ROWS, BEATS, Y_W], i) => {
    const X_SIGNED = i % 2 === 0;
    const THRESHOLDS = `threshold${i}.hex`;
    const [X_W, T_W] = [7, 8];
    const params = { P, ROWS, BEATS, X_W, X_SIGNED, T_W, Y_W, THRESHOLDS };
    const lists = range(P * BEATS).map((c) =>
      codes(2 ** Y_W - 1 - (c % 2), X_W, X_SIGNED).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    );
    const pixels = range(2 * vectors).map(() =>
      range(ROWS).map(() =>
        lists.map((list) =>
          random.below(3) === 0 && list.length > 0
            ? list[random.below(list.length)]
            : randomCode(random, X_W, X_SIGNED),
        ),
      ),
    );
    const results = pixels.map((rows) =>
      rows.map((row) => row.map((x, c) => BigInt(lists[c].filter((t) => t <= x).length))),
    );
    return flowCase(threshold, params, {
      inputs: [{ bits: ROWS * P * X_W, beats: pixelBeats(pixels, P, X_W) }],
      outputs: [{ bits: ROWS * P * Y_W, beats: pixelBeats(results, P, Y_W) }],
      files: { [THRESHOLDS]: thresholdMemory(params, lists) },
    });
  });
}

/** M, K, N, SIMD, PE. */
const products: [number, number, number, number, number][] = [
  [1, 1, 1, 1, 1],
  [3, 6, 4, 2, 2],
  [2, 6, 4, 6, 4],
  [4, 4, 6, 1, 3],
  [5, 8, 3, 4, 1],
  [2, 9, 5, 3, 5],
];

function matmulCases(): FlowCase[] {
  return products.flatMap(([M, K, N, SIMD, PE], i) =>
    [true, false].map((TRANSPOSED) => {
      const A_SIGNED = i % 2 === 0;
      const B_SIGNED = i % 3 !== 0;
      const [A_W, B_W, Y_W] = [7, 6, 17];
      const a: bigint[] = [];
      const b: bigint[] = [];
      const y: bigint[] = [];
      for (let image = 0; image < 5; image++) {
        const left = range(M).map(() => codes(K, A_W, A_SIGNED));
        const right = range(K).map(() => codes(N, B_W, B_SIGNED));
        for (const row of left) {
          for (let k = 0; k < K; k += SIMD) a.push(packWord(row.slice(k, k + SIMD), A_W));
          const results = range(N).map((n) =>
            row.reduce((sum, value, k) => sum + value * right[k][n], 0n),
          );
          for (let n = 0; n < N; n += PE) y.push(packWord(results.slice(n, n + PE), Y_W));
        }
        if (TRANSPOSED) {
          for (let n = 0; n < N; n++) {
            const column = right.map((row) => row[n]);
            for (let k = 0; k < K; k += SIMD) b.push(packWord(column.slice(k, k + SIMD), B_W));
          }
        } else {
          for (const row of right) {
            for (let n = 0; n < N; n += PE) b.push(packWord(row.slice(n, n + PE), B_W));
          }
        }
      }
      const aBits = SIMD * A_W;
      const bBits = (TRANSPOSED ? SIMD : PE) * B_W;
      return flowCase(
        matmul2,
        {
          ...{ M, K, N, SIMD, PE, TRANSPOSED, A_W, A_SIGNED, B_W, B_SIGNED, Y_W },
          ...{ MULTIPLIER: i % 2, STYLE: (i + Number(TRANSPOSED)) % 2 },
        },
        {
          inputs: [
            { bits: aBits, beats: a },
            { bits: bBits, beats: b },
          ],
          outputs: [{ bits: PE * Y_W, beats: y }],
          connections: {
            ...{
              s_a_valid: "s_valid[0]",
              s_a_ready: "s_ready[0]",
              s_a_data: `s_data[0+:${aBits}]`,
            },
            ...{ s_b_valid: "s_valid[1]", s_b_ready: "s_ready[1]" },
            s_b_data: `s_data[${aBits}+:${bBits}]`,
          },
        },
      );
    }),
  );
}

const cases = [
  ...poolCases(),
  ...depthwiseCases(),
  ...reduceCases(),
  ...reduceLanesCases(),
  ...scaleCases(),
  ...thresholdCases(),
  ...matmulCases(),
];

describe.skipIf(!tools.verilator)(`compute modules under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();
  let bench: FlowBench;
  beforeAll(() => {
    bench = buildFlowBench(folder.path, cases);
  });

  it.each(traffics)("are exact, in the predicted cycles: %o", (traffic) => {
    checkFlow(bench, cases, traffic);
  });

  it("come with the latency of their twins", () => {
    const results = bench.run({ seed: 1, pauseIn: 0, pauseOut: 0 });
    cases.forEach(({ module, params }, i) => {
      const first = results[i].trace.findIndex(([, , , given]) => given !== 0);
      const name = module.name;
      expect({ name, params, first }).toEqual({
        name,
        params,
        first: module.latencyCycles(params),
      });
    });
  });
});

describe.skipIf(!tools.verilator || !tools.yosys)("compute modules as Yosys reads them", () => {
  const folder = temporaryFolder();

  it("compute the same", () => {
    const some = cases.filter((_, i) => i % 5 === 1);
    const bench = buildFlowBench(folder.path, some, { throughYosys: true });
    checkFlow(bench, some, { seed: 9, pauseIn: 50, pauseOut: 50 });
  });
});
