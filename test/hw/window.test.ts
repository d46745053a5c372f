/** The sliding windows against the plain definition, with the handshakes of every cycle. */
import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import {
  packWord,
  type WindowParameters,
  windowLine,
  windowLinePlan,
  windowMem,
  windowMemLines,
  windowOutput,
} from "../../src/hwlib/index.ts";
import {
  buildFlowBench,
  checkFlow,
  type FlowBench,
  type FlowCase,
  flowCase,
  nameOf,
  randomBits,
  traffics,
} from "../support/flow.ts";
import { temporaryFolder, tools } from "../support/hw.ts";

const seed = 20261124;
const random = new Random(seed);
const images = 3;

/** Kernel, strides, dilations, padding (top, bottom, left, right), picture. */
interface Shape {
  readonly k?: readonly [number, number];
  readonly s?: readonly [number, number];
  readonly d?: readonly [number, number];
  readonly p?: readonly [number, number, number, number];
  readonly hw: readonly [number, number];
  readonly c?: number;
}

function parameters({ k = [3, 3], s = [1, 1], d = [1, 1], p = [0, 0, 0, 0], hw, c = 2 }: Shape) {
  return {
    ...{
      H: hw[0],
      W: hw[1],
      C: c,
      X_W: 5,
      KH: k[0],
      KW: k[1],
      SH: s[0],
      SW: s[1],
      DH: d[0],
      DW: d[1],
    },
    ...{ PT: p[0], PB: p[1], PL: p[2], PR: p[3], PAD: p[0] + p[2] > 1 ? -7 : 0 },
  };
}

const same = [1, 1, 1, 1] as const;

const shapes: readonly Shape[] = [
  { hw: [6, 5], p: same },
  { hw: [6, 8], p: [0, 0, 0, 0] },
  { hw: [7, 8], p: same, s: [2, 2] },
  { hw: [8, 8], p: [0, 1, 0, 1], s: [2, 2] },
  { hw: [6, 9], k: [5, 5], p: [2, 2, 2, 2], c: 1 },
  { hw: [9, 10], d: [2, 3], p: [2, 2, 3, 3], c: 1 },
  { hw: [8, 6], k: [2, 2], s: [2, 2] },
  { hw: [8, 6], k: [3, 2], s: [3, 2], p: [1, 0, 0, 0] },
  { hw: [1, 17], k: [1, 4], p: [0, 0, 1, 2] },
  { hw: [1, 12], k: [1, 3], s: [1, 2], d: [1, 2], p: [0, 0, 2, 2] },
  { hw: [9, 1], k: [4, 1], p: [3, 2, 0, 0] },
  { hw: [4, 4], k: [1, 1] },
  { hw: [5, 6], k: [1, 1], s: [2, 3] },
  { hw: [4, 3], k: [4, 3] },
  { hw: [2, 2], p: same },
  { hw: [1, 1], p: same, c: 1 },
  { hw: [3, 4], p: [2, 2, 2, 2], k: [3, 3], c: 1 },
];

function draw(p: WindowParameters): bigint[][] {
  return Array.from({ length: images * p.H * p.W }, () =>
    Array.from({ length: p.C }, () => randomBits(random, p.X_W)),
  );
}

/** Element c at the tap of a window, by the definition. */
function tapOf(
  p: WindowParameters,
  pixels: bigint[][],
  image: number,
  y: number,
  x: number,
): bigint[] {
  if (y < 0 || y >= p.H || x < 0 || x >= p.W) return new Array<bigint>(p.C).fill(BigInt(p.PAD));
  return pixels[(image * p.H + y) * p.W + x];
}

/** Of each window its taps `[ky * KW + kx][c]`. */
function windows(p: WindowParameters, pixels: bigint[][]): bigint[][][] {
  const { OH, OW } = windowOutput(p);
  const result: bigint[][][] = [];
  for (let image = 0; image < images; image++) {
    for (let oy = 0; oy < OH; oy++) {
      for (let ox = 0; ox < OW; ox++) {
        const taps: bigint[][] = [];
        for (let ky = 0; ky < p.KH; ky++) {
          for (let kx = 0; kx < p.KW; kx++) {
            const y = oy * p.SH - p.PT + ky * p.DH;
            taps.push(tapOf(p, pixels, image, y, ox * p.SW - p.PL + kx * p.DW));
          }
        }
        result.push(taps);
      }
    }
  }
  return result;
}

function lineCases(): FlowCase[] {
  return shapes.flatMap((shape, i) => {
    const base = parameters(shape);
    return [1, 2, 4].flatMap((COLS) => {
      const params = { ...base, COLS, STYLE: (i + COLS) % 2 };
      if (windowLine.constraint?.(params) !== undefined) return [];
      const pixels = draw(base);
      const inputs: bigint[] = [];
      for (let at = 0; at < pixels.length; at += COLS) {
        inputs.push(packWord(pixels.slice(at, at + COLS).flat(), base.X_W));
      }
      const all = windows(base, pixels);
      const { outputs: perBeat } = windowLinePlan(params);
      const outputs: bigint[] = [];
      for (let at = 0; at < all.length; at += perBeat) {
        outputs.push(packWord(all.slice(at, at + perBeat).flat(2), base.X_W));
      }
      const bits = perBeat * base.KH * base.KW * base.C * base.X_W;
      return flowCase(windowLine, params, {
        inputs: [{ bits: COLS * base.C * base.X_W, beats: inputs }],
        outputs: [{ bits, beats: outputs }],
      });
    });
  });
}

function memCases(): FlowCase[] {
  return shapes.flatMap((shape, i) => {
    const base = parameters({ ...shape, c: i % 3 === 0 ? 1 : 4 });
    const P = i % 2 === 0 ? 1 : Math.min(2, base.C);
    const CB = base.C / P;
    const more = [0, 1, base.SH + 1][i % 3];
    return [false, true].map((CHANNEL_MAJOR) => {
      const LINES = windowMemLines(base) + more;
      const params = { ...base, P, LINES, CHANNEL_MAJOR, STYLE: (i + Number(CHANNEL_MAJOR)) % 2 };
      const pixels = draw(base);
      const chunk = (pixel: bigint[], cb: number) =>
        packWord(pixel.slice(cb * P, (cb + 1) * P), base.X_W);
      const blocks = Array.from({ length: CB }, (_, cb) => cb);
      const inputs = pixels.flatMap((pixel) => blocks.map((cb) => chunk(pixel, cb)));
      const outputs = windows(base, pixels).flatMap((taps) =>
        CHANNEL_MAJOR
          ? blocks.flatMap((cb) => taps.map((tap) => chunk(tap, cb)))
          : taps.flatMap((tap) => blocks.map((cb) => chunk(tap, cb))),
      );
      return flowCase(windowMem, params, {
        inputs: [{ bits: P * base.X_W, beats: inputs }],
        outputs: [{ bits: P * base.X_W, beats: outputs }],
      });
    });
  });
}

const lines = lineCases();
const memories = memCases();

describe.skipIf(!tools.verilator)(`windows under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();
  const cases = [...lines, ...memories];
  let bench: FlowBench;
  beforeAll(() => {
    bench = buildFlowBench(folder.path, cases);
  });

  it.each(traffics)("are those of the definition, in the predicted cycles: %o", (traffic) => {
    checkFlow(bench, cases, traffic);
  });

  it("come with the latency and at the interval of the twin", () => {
    const results = bench.run({ seed: 1, pauseIn: 0, pauseOut: 0 });
    cases.forEach((flow, i) => {
      const name = nameOf(flow);
      const perImage = flow.outputs[0].beats.length / images;
      const given = results[i].trace.flatMap(([, , , mask], cycle) => (mask & 1 ? [cycle] : []));
      const latency = flow.module.latencyCycles(flow.params);
      expect({ name, first: given[0] }).toEqual({ name, first: latency });
      if (i >= lines.length) return;
      const interval = given[2 * perImage] - given[perImage];
      expect({ name, interval }).toEqual({
        name,
        interval: flow.module.intervalCycles(flow.params),
      });
    });
  });
});

describe.skipIf(!tools.verilator || !tools.yosys)("windows as Yosys reads them", () => {
  const folder = temporaryFolder();

  it("are the same", () => {
    const some = [...lines, ...memories].filter((_, i) => i % 5 === 0);
    const bench = buildFlowBench(folder.path, some, { throughYosys: true });
    checkFlow(bench, some, { seed: 9, pauseIn: 50, pauseOut: 50 });
  });
});
