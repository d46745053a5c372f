import type { Random } from "../../../src/base/index.ts";
import { ModelWriter } from "../../support/model-writer.ts";
import type { MadeModel } from "./compare.ts";
import { between, type Fraction, fraction, isLess, over, plus, roundings } from "./fraction.ts";
import { type OperatorProblem, pick, randomCodes } from "./problem.ts";

/*
 * ONNX Runtime does not know these operators. What must come out is computed here in fractions, from their
 * definitions (https://github.com/fastmachinelearning/qonnx/tree/main/docs/qonnx-custom-ops).
 */

const domains = ["onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general"];
const shape = [1, 3, 8, 5];
const count = 20;

/** Real numbers that the network computes itself, so that hosts do not round them: k / 64. */
function dyadicInput(w: ModelWriter, random: Random) {
  const x = randomCodes(w, random, "x", "int16", shape, count);
  const real = w.node("DequantizeLinear", [x.name, w.floats([1 / 64])]);
  return { x, real, numbers: Array.from(x.data, (code) => code / 64) };
}

const channelOf = (i: number) => Math.floor(i / (shape[2] * shape[3])) % shape[1];

/** Powers of two and their multiples, for ties, and any numbers. */
const scaleOf = (random: Random): number =>
  Math.fround(pick(random, [0.5, 0.25, 2, 3, 1 / 16, 0.01 + 4 * random.uniform()]));

interface Ends {
  readonly signed: boolean;
  readonly narrow: boolean;
  readonly bits: number;
}

/** The bounds of integers, before any rounding: the bits need not be a whole number. */
function bounds({ signed, narrow, bits }: Ends): readonly [Fraction, Fraction] {
  const [lo, hi] = signed
    ? [-(2 ** (bits - 1)) + Number(narrow), 2 ** (bits - 1) - 1]
    : [0, 2 ** bits - 1 - Number(narrow)];
  return [fraction(lo), fraction(hi)];
}

const perChannel = (w: ModelWriter, list: readonly number[]): string =>
  w.floats(list, list.length === 1 ? [] : [1, shape[1], 1, 1]);

const quant =
  (operator: string, mode: string) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const { x, real, numbers } = dyadicInput(w, random);
    const scales = Array.from({ length: pick(random, [1, 3]) }, () => scaleOf(random));
    const zeros = Array.from({ length: scales.length }, () => pick(random, [0, 0, 3, -2, 0.5]));
    const ends = {
      signed: random.below(2) === 1,
      narrow: random.below(2) === 1,
      bits: pick(random, [1, 2, 4, 8, 8, 12, 3.5]),
    };
    const q = w.node(
      operator,
      [real, perChannel(w, scales), perChannel(w, zeros), w.floats([ends.bits])],
      { signed: Number(ends.signed), narrow: Number(ends.narrow), rounding_mode: mode },
      pick(random, domains),
    );
    const [lo, hi] = bounds(ends);
    const expected = numbers.map((number, i) => {
      const c = scales.length === 1 ? 0 : channelOf(i);
      const v = plus(over(fraction(number), fraction(scales[c])), fraction(zeros[c]));
      const isBipolar = ends.signed && ends.bits === 1;
      const code = isBipolar
        ? isLess(v, fraction(0))
          ? -1
          : 1
        : Number(roundings[mode](between(lo, v, hi)));
      return (code - zeros[c]) * scales[c];
    });
    return { bytes: w.finish(q), inputs: [x], count, step: Math.min(...scales), expected };
  };

const bipolar = (random: Random): MadeModel => {
  const w = new ModelWriter();
  const { x, real, numbers } = dyadicInput(w, random);
  const scales = Array.from({ length: pick(random, [1, 3]) }, () => scaleOf(random));
  const q = w.node("BipolarQuant", [real, perChannel(w, scales)], {}, pick(random, domains));
  const expected = numbers.map((number, i) => {
    const scale = scales[scales.length === 1 ? 0 : channelOf(i)];
    return number < 0 ? -scale : scale;
  });
  return { bytes: w.finish(q), inputs: [x], count, step: Math.min(...scales), expected };
};

/** Both versions: with the bits that fall away, and with the scale of the result. */
const trunc =
  (mode: string, hasScale: boolean) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const { x, real, numbers } = dyadicInput(w, random);
    const [scale, zero] = [scaleOf(random), pick(random, [0, 0, 1, -5])];
    const [before, halvings] = [pick(random, [12, 16]), pick(random, [0, 1, 2, 4])];
    const ends = {
      signed: random.below(3) > 0,
      narrow: random.below(2) === 1,
      bits: hasScale ? pick(random, [4, 8, 10]) : before - halvings,
    };
    const [after, step] = [w.floats([ends.bits]), 2 ** halvings];
    const parameters = [w.floats([scale]), w.floats([zero]), w.floats([before])];
    const attributes = hasScale ? { signed: Number(ends.signed), narrow: Number(ends.narrow) } : {};
    const q = w.node(
      "Trunc",
      [real, ...parameters, ...(hasScale ? [w.floats([scale * step])] : []), after],
      { rounding_mode: mode, ...attributes } as Record<string, number | string>,
      pick(random, domains),
    );
    const [lo, hi] = bounds(ends);
    const expected = numbers.map((number) => {
      const whole = roundings["ROUND"](
        plus(over(fraction(number), fraction(scale)), fraction(zero)),
      );
      const less = over({ n: whole, d: 1n }, fraction(step));
      const code = Number(roundings[mode](hasScale ? between(lo, less, hi) : less));
      return hasScale ? (code - zero / step) * scale * step : (code - zero) * scale;
    });
    return { bytes: w.finish(q), inputs: [x], count, step: scale, expected };
  };

const multiThreshold =
  (layout: string) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const { x, real, numbers } = dyadicInput(w, random);
    const channels = layout === "NCHW" ? shape[1] : shape[3];
    const lists = Array.from({ length: pick(random, [1, channels]) }, () =>
      Array.from({ length: 15 }, () => Math.fround(pick(random, [1, 100]) * random.normal())).sort(
        (a, b) => a - b,
      ),
    );
    const [scale, bias] = pick(random, [
      [1, 0],
      [1, -8],
      [0.25, 0.5],
      [Math.fround(0.3), 0],
    ] as const);
    const y = w.node(
      "MultiThreshold",
      [real, w.floats(lists.flat(), [lists.length, 15])],
      {
        data_layout: layout,
        out_dtype: "UINT4",
        out_scale: { float: scale },
        out_bias: { float: bias },
      },
      pick(random, domains),
    );
    const expected = numbers.map((number, i) => {
      const c = layout === "NCHW" ? channelOf(i) : i % channels;
      const list = lists[lists.length === 1 ? 0 : c];
      return list.filter((threshold) => number >= threshold).length * scale + bias;
    });
    return { bytes: w.finish(y), inputs: [x], count, step: scale, expected };
  };

const xnorPopcount = (random: Random): MadeModel => {
  const w = new ModelWriter();
  const [k, n] = [1 + random.below(40), 1 + random.below(12)];
  const x = randomCodes(w, random, "x", "int8", [1, k], count);
  const real = w.node("DequantizeLinear", [x.name, w.floats([1])]);
  const one = () => w.floats([1]);
  const bits = w.node(
    "Quant",
    [real, one(), w.floats([0]), one()],
    { signed: 0, narrow: 0 },
    domains[1],
  );
  const weights = Array.from({ length: k * n }, () => random.below(2));
  const y = w.node("XnorPopcountMatMul", [bits, w.floats(weights, [k, n])], {}, domains[2]);
  const expected = Array.from({ length: count * n }, (_, i) => {
    const row = x.data.subarray(Math.floor(i / n) * k, (Math.floor(i / n) + 1) * k);
    return Array.from(row).filter((code, r) => Number(code > 0) === weights[r * n + (i % n)])
      .length;
  });
  return { bytes: w.finish(y), inputs: [x], count, expected };
};

const own = { isOwnReference: true } as const;
const modes = Object.keys(roundings);
const everyRounding = (
  operator: string,
  row: string,
  make: (mode: string) => OperatorProblem["make"],
) =>
  modes.map(
    (mode): OperatorProblem => ({
      operator,
      formats: `${row}, ${mode}`,
      row: `${row}; every rounding`,
      seeds: 10,
      make: make(mode),
      ...own,
    }),
  );

/** Operators of QONNX and FINN. */
export const qonnxProblems: readonly OperatorProblem[] = [
  ...everyRounding("Quant", "1 to 12 bits", (mode) => quant("Quant", mode)),
  ...everyRounding("IntQuant", "1 to 12 bits", (mode) => quant("IntQuant", mode)),
  ...everyRounding("Trunc", "version 1", (mode) => trunc(mode, false)),
  ...everyRounding("Trunc", "version 2", (mode) => trunc(mode, true)),
  ...(
    [
      ["BipolarQuant", "1 bit", bipolar],
      ["MultiThreshold", "15 thresholds, NCHW", multiThreshold("NCHW")],
      ["MultiThreshold", "15 thresholds, NHWC", multiThreshold("NHWC")],
      ["XnorPopcountMatMul", "1 bit", xnorPopcount],
    ] as const
  ).map(([operator, row, make]) => ({ operator, formats: row, row, seeds: 10, make, ...own })),
];
