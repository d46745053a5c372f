import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { maxCode, minCode } from "../../src/fixed/index.ts";
import { adderTree, dot, packWord } from "../../src/hwlib/index.ts";
import {
  buildVectorBench,
  instance,
  rtlFiles,
  temporaryFolder,
  tools,
  type VectorLane,
} from "../support/hw.ts";

const seed = 21;
const cycles = 300;

/** A pipeline with an enable: what went in LATENCY enabled cycles ago comes out. */
interface Pipeline {
  readonly name: string;
  readonly lane: VectorLane;
  readonly latency: number;
  /** Packed input, and its result. */
  draw(random: Random): { x: bigint; y: bigint };
}

function drawCode(random: Random, signed: boolean, width: number): bigint {
  const format = { signed, width, frac: 0 };
  const kind = random.below(6);
  if (kind === 0) return minCode(format);
  if (kind === 1) return maxCode(format);
  return random.bigintBetween(minCode(format), maxCode(format));
}

function run(folder: string, pipelines: readonly Pipeline[], files: readonly string[]) {
  const random = new Random(seed);
  const lanes = pipelines.map(({ lane }) => ({ ...lane, xBits: lane.xBits + 1 }));
  const bench = buildVectorBench(folder, lanes, files);
  const plan = Array.from({ length: cycles }, () =>
    pipelines.map((pipeline) => ({ enabled: random.below(4) > 0, ...pipeline.draw(random) })),
  );
  const answers = bench.run(
    plan.map((row) =>
      row.map(({ enabled, x }, i) => {
        const top = BigInt(lanes[i].xBits - 1);
        return ((enabled ? 1n : 0n) << top) | x;
      }),
    ),
  );
  return pipelines.map(({ latency, lane }, i) => {
    const registers: bigint[] = [];
    const expected: bigint[] = [];
    const got: bigint[] = [];
    plan.forEach((row, cycle) => {
      const now = [row[i].y, ...registers];
      // Registers hold nothing yet at the start.
      if (now.length > latency) {
        expected.push(BigInt.asUintN(lane.yBits, now[latency]));
        got.push(answers[cycle][i]);
      }
      if (row[i].enabled) {
        registers.unshift(row[i].y);
        if (registers.length > latency) registers.pop();
      }
    });
    return { got, expected };
  });
}

/** LENGTH, X_W, Y_W */
const trees: [number, number, number][] = [
  [1, 4, 4],
  [1, 4, 9],
  [2, 6, 7],
  [3, 5, 7],
  [4, 1, 3],
  [5, 8, 11],
  [8, 8, 6],
  [9, 3, 12],
  [16, 7, 11],
  [17, 20, 25],
  [33, 2, 5],
  [100, 9, 16],
  [64, 30, 70],
];

function tree([LENGTH, X_W, Y_W]: (typeof trees)[number]): Pipeline {
  const params = { LENGTH, X_W, Y_W };
  const width = LENGTH * X_W;
  return {
    name: `n2f_adder_tree ${JSON.stringify(params)}`,
    latency: adderTree.latencyCycles(params),
    lane: {
      xBits: width,
      yBits: Y_W,
      body: instance(adderTree, params, { en: `x[${width}]`, x: `x[0+:${width}]` }),
    },
    draw: (random) => {
      const terms = Array.from({ length: LENGTH }, () => drawCode(random, true, X_W));
      return { x: packWord(terms, X_W), y: terms.reduce((sum, term) => sum + term, 0n) };
    },
  };
}

/** LENGTH, X_W, X_SIGNED, W_W, Y_W */
const dots: [number, number, boolean, number, number][] = [
  [1, 8, true, 8, 16],
  [1, 1, false, 1, 2],
  [2, 8, false, 8, 17],
  [3, 4, true, 1, 7],
  [4, 8, true, 8, 12],
  [5, 18, true, 25, 46],
  [7, 3, false, 2, 3],
  [12, 16, false, 9, 29],
  [30, 2, true, 5, 20],
  [3, 40, true, 40, 82],
];

function dotProduct([LENGTH, X_W, X_SIGNED, W_W, Y_W]: (typeof dots)[number]): Pipeline {
  const params = { LENGTH, X_W, X_SIGNED, W_W, Y_W };
  const width = LENGTH * (X_W + W_W);
  return {
    name: `n2f_dot ${JSON.stringify(params)}`,
    latency: dot.latencyCycles(params),
    lane: {
      xBits: width,
      yBits: Y_W,
      body: instance(dot, params, {
        en: `x[${width}]`,
        x: `x[0+:${LENGTH * X_W}]`,
        w: `x[${LENGTH * X_W}+:${LENGTH * W_W}]`,
      }),
    },
    draw: (random) => {
      const xs = Array.from({ length: LENGTH }, () => drawCode(random, X_SIGNED, X_W));
      const ws = Array.from({ length: LENGTH }, () => drawCode(random, true, W_W));
      const x = packWord(xs, X_W) | (packWord(ws, W_W) << BigInt(LENGTH * X_W));
      return { x, y: xs.reduce((sum, each, i) => sum + each * ws[i], 0n) };
    },
  };
}

describe.skipIf(!tools.verilator)(`sums under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();
  const pipelines = [...trees.map(tree), ...dots.map(dotProduct)];
  let streams: ReturnType<typeof run>;
  beforeAll(() => {
    streams = run(folder.path, pipelines, rtlFiles(adderTree, dot));
  });

  it.each(pipelines.map(({ name }, i) => [name, i] as const))(
    "%s gives its sum after the twin's latency",
    (_, i) => {
      expect(streams[i].got).toEqual(streams[i].expected);
    },
  );
});
