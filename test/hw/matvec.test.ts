import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { maxCode, minCode } from "../../src/fixed/index.ts";
import { type MatvecParameters, matvec, matvecMemories, packWord } from "../../src/hwlib/index.ts";
import {
  buildStreamBench,
  instance,
  rtlFiles,
  type StreamBench,
  type StreamLane,
  type StreamResult,
  type Traffic,
  temporaryFolder,
  tools,
} from "../support/hw.ts";

const common = { X_W: 8, X_SIGNED: true, W_W: 8, ACC_W: 24, PASS_W: 1 };

/** ROWS, K_STEPS, SIMD, N_STEPS, PE, and what differs from the common widths. */
const shapes: [number, number, number, number, number, Partial<typeof common>][] = [
  // One step a vector: up to six vectors in flight.
  [1, 1, 1, 1, 1, { PASS_W: 9 }],
  [1, 1, 7, 1, 3, { X_SIGNED: false, PASS_W: 5 }],
  [1, 1, 64, 1, 2, { X_W: 4, W_W: 3, PASS_W: 70 }],
  // Fewer steps than the result takes to drain.
  [2, 1, 3, 1, 2, { PASS_W: 33 }],
  [1, 1, 2, 2, 2, { PASS_W: 4 }],
  [1, 2, 2, 1, 4, { PASS_W: 3 }],
  [1, 3, 1, 1, 1, { PASS_W: 12 }],
  [1, 1, 33, 4, 2, { X_W: 5, ACC_W: 19 }],
  [3, 1, 5, 1, 1, { PASS_W: 2 }],
  // Several of everything, and sizes that are no powers of two.
  [3, 2, 2, 2, 3, { X_SIGNED: false, PASS_W: 8 }],
  [2, 3, 4, 5, 1, {}],
  [1, 5, 3, 3, 7, { PASS_W: 40 }],
  [4, 2, 6, 3, 2, { X_SIGNED: false, X_W: 3, W_W: 2, ACC_W: 12 }],
  [1, 2, 128, 2, 1, { X_W: 2, X_SIGNED: false, W_W: 2, ACC_W: 14 }],
  // Narrow and wide numbers; sums that wrap.
  [1, 4, 4, 2, 2, { X_W: 1, X_SIGNED: false, W_W: 1, ACC_W: 6 }],
  [1, 4, 2, 2, 2, { X_W: 1, W_W: 2, ACC_W: 1 }],
  [2, 2, 4, 2, 2, { ACC_W: 6 }],
  [1, 3, 2, 2, 2, { X_W: 17, W_W: 25, ACC_W: 64 }],
  [1, 2, 9, 2, 2, { X_W: 40, X_SIGNED: false, W_W: 33, ACC_W: 78 }],
];

interface Engine {
  readonly name: string;
  readonly params: MatvecParameters;
  readonly weights: bigint[][];
  readonly bias: bigint[];
  /** Packed [pass, x], and the packed [pass, y] that belongs to it. */
  readonly inputs: bigint[];
  readonly outputs: bigint[];
}

const seed = 20261123;
const vectors = 40;

function makeEngine(index: number): Engine {
  const [ROWS, K_STEPS, SIMD, N_STEPS, PE, widths] = shapes[index];
  // The last weights and biases stay away: padding and files that are not there must be zeros.
  const BIAS = index % 5 === 4 ? "" : `bias${index}.hex`;
  const WEIGHTS = `weights${index}.hex`;
  const params = { ...common, ...widths, ROWS, K_STEPS, SIMD, N_STEPS, PE, WEIGHTS, BIAS };
  const { X_W, X_SIGNED, W_W, ACC_W, PASS_W } = params;
  const random = new Random(seed + index);
  const draw = (signed: boolean, width: number): bigint => {
    const format = { signed, width, frac: 0 };
    const kind = random.below(8);
    if (kind === 0) return minCode(format);
    if (kind === 1) return maxCode(format);
    return BigInt.asIntN(65, bits(random, width)) + (signed ? minCode(format) : 0n);
  };
  const K = K_STEPS * SIMD;
  const N = N_STEPS * PE;
  const usedK = K - (index % 2 === 1 && SIMD > 1 ? 1 : 0);
  const usedN = N - (index % 3 === 1 && PE > 1 ? 1 : 0);
  const weights = Array.from({ length: usedN }, () =>
    Array.from({ length: usedK }, () => draw(true, W_W)),
  );
  const bias = BIAS === "" ? [] : Array.from({ length: usedN }, () => draw(true, ACC_W));

  const inputs: bigint[] = [];
  const outputs: bigint[] = [];
  for (let v = 0; v < vectors; v++) {
    const pass = bits(random, PASS_W);
    const x = Array.from({ length: ROWS * K }, () => draw(X_SIGNED, X_W));
    const y: bigint[] = [];
    for (let m = 0; m < ROWS; m++) {
      for (let n = 0; n < N; n++) {
        let sum = bias[n] ?? 0n;
        for (let k = 0; k < K; k++) sum += x[m * K + k] * (weights[n]?.[k] ?? 0n);
        y.push(sum);
      }
    }
    inputs.push((pass << BigInt(x.length * X_W)) | packWord(x, X_W));
    outputs.push((pass << BigInt(y.length * ACC_W)) | packWord(y, ACC_W));
  }
  const name = Object.entries(params)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
  return { name, params, weights, bias, inputs, outputs };
}

function bits(random: Random, count: number): bigint {
  let value = 0n;
  for (let i = 0; i < count; i += 32) value = (value << 32n) | BigInt(random.uint32());
  return BigInt.asUintN(count, value);
}

function lane({ name, params }: Engine): StreamLane {
  const { ROWS, K_STEPS, SIMD, N_STEPS, PE, X_W, ACC_W, PASS_W } = params;
  const x = ROWS * K_STEPS * SIMD * X_W;
  const y = ROWS * N_STEPS * PE * ACC_W;
  return {
    name,
    sBits: x + PASS_W,
    mBits: y + PASS_W,
    body: instance(matvec, params, {
      s_data: `s_data[0+:${x}]`,
      s_pass: `s_data[${x}+:${PASS_W}]`,
      m_data: `m_data[0+:${y}]`,
      m_pass: `m_data[${y}+:${PASS_W}]`,
    }),
  };
}

function buildEngines(
  folder: string,
  engines: readonly Engine[],
  options: { throughYosys?: boolean } = {},
): StreamBench {
  for (const { params, weights, bias } of engines) {
    const memories = matvecMemories(params, weights, bias);
    writeFileSync(join(folder, params.WEIGHTS), memories.weights);
    if (params.BIAS !== "") writeFileSync(join(folder, params.BIAS), memories.bias);
  }
  return buildStreamBench(folder, engines.map(lane), rtlFiles(matvec), options);
}

/** Runs all engines and checks values, order, and the rules of the handshake. */
function check(bench: StreamBench, engines: readonly Engine[], traffic: Traffic): StreamResult[] {
  const results = bench.run(
    engines.map((engine) => engine.inputs),
    engines.map((engine) => engine.outputs.length),
    traffic,
  );
  results.forEach(({ delivered, violations }, i) => {
    const { name, outputs } = engines[i];
    expect({ name, violations }).toEqual({ name, violations: [] });
    expect({ name, y: delivered.map(({ data }) => data) }).toEqual({ name, y: outputs });
  });
  return results;
}

describe.skipIf(!tools.verilator)(`n2f_matvec under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();
  const engines = shapes.map((_, i) => makeEngine(i));
  let bench: StreamBench;
  beforeAll(() => {
    bench = buildEngines(folder.path, engines);
  });

  it("takes a vector every C cycles and gives its result C + D cycles later", () => {
    const results = check(bench, engines, { seed: 1, pauseIn: 0, pauseOut: 0 });
    results.forEach(({ accepted, delivered }, i) => {
      const { name, params } = engines[i];
      const first = accepted[0];
      const interval = matvec.intervalCycles(params);
      const latency = matvec.latencyCycles(params);
      expect(first).toBe(0);
      expect({ name, accepted }).toEqual({ name, accepted: accepted.map((_, v) => v * interval) });
      expect({ name, delivered: delivered.map(({ cycle }) => cycle) }).toEqual({
        name,
        delivered: accepted.map((cycle) => cycle + latency),
      });
    });
  });

  it("keeps its latency when vectors come late", () => {
    const results = check(bench, engines, { seed: 2, pauseIn: 95, pauseOut: 0 });
    results.forEach(({ accepted, delivered }, i) => {
      const { name, params } = engines[i];
      const latencies = new Set(delivered.map(({ cycle }, v) => cycle - accepted[v]));
      expect({ name, latencies }).toEqual({
        name,
        latencies: new Set([matvec.latencyCycles(params)]),
      });
    });
  });

  it.each([
    { seed: 3, pauseIn: 0, pauseOut: 95 },
    { seed: 4, pauseIn: 60, pauseOut: 60 },
    { seed: 5, pauseIn: 98, pauseOut: 98 },
    { seed: 6, pauseIn: 20, pauseOut: 99 },
    { seed: 7, pauseIn: 0, pauseOut: 0, shyOut: true },
    { seed: 8, pauseIn: 50, pauseOut: 50, shyOut: true },
  ])("loses nothing under pauses: %o", (traffic) => {
    check(bench, engines, traffic);
  });
});

describe.skipIf(!tools.verilator || !tools.yosys)("n2f_matvec as Yosys reads it", () => {
  const folder = temporaryFolder();

  it("computes the same", () => {
    const engines = [1, 4, 5, 9, 11, 16].map(makeEngine);
    const bench = buildEngines(folder.path, engines, { throughYosys: true });
    check(bench, engines, { seed: 7, pauseIn: 0, pauseOut: 0 });
    check(bench, engines, { seed: 8, pauseIn: 60, pauseOut: 60 });
  });
});
