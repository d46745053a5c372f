import type { Random } from "../../../src/base/index.ts";
import type { MadeModel, Optimization } from "./compare.ts";
import { type CodeType, codeTypes, ModelWriter } from "./model-writer.ts";
import {
  codesOf,
  everyCode,
  type OperatorProblem,
  pick,
  randomCodes,
  randomReals,
  scaleOf,
  scalingOf,
  zeroOf,
} from "./problem.ts";

const microsoft = "com.microsoft";
const bothLevels: readonly Optimization[] = ["disabled", "all"];

/** Steps of a type whose codes reach a little less far than normal numbers do. */
function scaleFor(random: Random, type: CodeType): number {
  const { lo, hi } = codeTypes[type];
  return Math.fround((pick(random, [3, 6, 8, 10]) * (0.7 + 0.6 * random.uniform())) / (hi - lo));
}

type Spread = "per tensor" | "per axis" | "blocked";

/**
 * Real numbers to codes; the codes come out as real numbers, so that every type can be compared. Where scales differ,
 * the network computes the real numbers itself: at an input hosts round by one scale.
 */
const quantize =
  (type: CodeType, spread: Spread, domain = "") =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const shape = [2, 6, 4];
    const x =
      spread === "per tensor"
        ? randomReals(w, random, "x", shape, 40)
        : randomCodes(w, random, "x", "int16", shape, 40);
    const real =
      spread === "per tensor" ? x.name : w.node("DequantizeLinear", [x.name, w.floats([2 ** -12])]);
    const axis = pick(random, [0, 1, 2, -1, -2]);
    const extent = shape.at(axis) as number;
    const block = pick(random, [1, 2]);
    const dims = {
      "per tensor": [] as number[],
      "per axis": [extent],
      blocked: shape.map((n, i) => (i === (axis + 3) % 3 ? n / block : n)),
    }[spread];
    const size = dims.reduce((a, b) => a * b, 1);
    const scales = Array.from({ length: size }, () => scaleFor(random, type));
    const zeros = Array.from({ length: size }, () => zeroOf(random, type));
    const attributes = {
      "per tensor": {},
      "per axis": { axis },
      blocked: { axis, block_size: block },
    }[spread];
    const q = w.node(
      "QuantizeLinear",
      [real, w.floats(scales, dims), w.codes(type, zeros, dims)],
      attributes as Record<string, number>,
      domain,
    );
    const y = w.node("DequantizeLinear", [q, w.floats([1]), w.codes(type, [0])], {}, domain);
    return { bytes: w.finish(y), inputs: [x], count: 40 };
  };

type Function = (w: ModelWriter, x: string, random: Random) => string;

/** Codes to real numbers, a function, and back to codes. */
const between =
  (type: CodeType, apply: Function) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const x = everyCode(w, "x", type);
    const toReal = w.floats([scaleFor(random, type)]);
    const real = w.node("DequantizeLinear", [
      x.name,
      toReal,
      w.codes(type, [zeroOf(random, type)]),
    ]);
    const f = apply(w, real, random);
    const y = w.node("QuantizeLinear", [
      f,
      w.floats([scaleFor(random, type)]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    return { bytes: w.finish(y), inputs: [x], count: 1 };
  };

const node =
  (
    opType: string,
    attributes: Readonly<Record<string, number | string | { float: number }>> = {},
  ): Function =>
  (w, x) =>
    w.node(opType, [x], attributes);

const float =
  (...values: readonly number[]) =>
  (random: Random) => ({ float: pick(random, values) });

const functions: Readonly<Record<string, Function>> = {
  Sigmoid: node("Sigmoid"),
  Tanh: node("Tanh"),
  LeakyRelu: (w, x, random) => w.node("LeakyRelu", [x], { alpha: float(0.01, 0.1, 0.25)(random) }),
  PRelu: (w, x) => w.node("PRelu", [x, w.floats([0.2])]),
  HardSigmoid: node("HardSigmoid"),
  HardSwish: node("HardSwish"),
  "Sigmoid and Mul (SiLU)": (w, x) => w.node("Mul", [x, w.node("Sigmoid", [x])]),
  Gelu: node("Gelu"),
  "Gelu (tanh)": node("Gelu", { approximate: "tanh" }),
  Elu: (w, x, random) => w.node("Elu", [x], { alpha: float(1, 0.7)(random) }),
  Selu: node("Selu"),
  Celu: node("Celu"),
  Softplus: node("Softplus"),
  Softsign: node("Softsign"),
  Mish: node("Mish"),
  Exp: node("Exp"),
  Erf: node("Erf"),
  Abs: node("Abs"),
  "Pow (square)": (w, x) => w.node("Pow", [x, w.floats([2])]),
  "Mul and Add by constants": (w, x) =>
    w.node("Add", [w.node("Mul", [x, w.floats([0.3])]), w.floats([0.7])]),
  Relu: node("Relu"),
  "Clip (0 to 6)": (w, x) => w.node("Clip", [x, w.floats([0]), w.floats([6])]),
  "nothing between": (_w, x) => x,
};

const softmax =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const { lo, hi } = codeTypes[type];
    const x = randomCodes(w, random, "x", type, [1, 2 + random.below(20)], 100);
    const scale = (scaleOf(random, 0.02, 0.2) * 256) / (hi - lo + 1);
    const real = w.node("DequantizeLinear", [
      x.name,
      w.floats([scale]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    const p = w.node("Softmax", [real], { axis: -1 });
    const y = w.node("QuantizeLinear", [
      p,
      w.floats([1 / (hi - lo + pick(random, [0, 1]))]),
      w.codes(type, [lo]),
    ]);
    return { bytes: w.finish(y), inputs: [x], count: 100 };
  };

/** Weights as integers with a scale, or one for each column. */
function weights(
  w: ModelWriter,
  random: Random,
  shape: readonly number[],
  axis: number,
  perColumn: boolean,
  type: CodeType,
): { readonly name: string; readonly scales: readonly number[] } {
  const { lo, hi } = codeTypes[type];
  const columns = perColumn ? shape[axis] : 1;
  const dims = perColumn ? [columns] : [];
  const scales = Array.from(
    { length: columns },
    () => (scaleOf(random, 0.002, 0.02) * 256) / (hi - lo + 1),
  );
  const size = shape.reduce((a, b) => a * b, 1);
  const name = w.node(
    "DequantizeLinear",
    [
      w.codes(type, codesOf(random, type, size), shape),
      w.floats(scales, dims),
      w.codes(type, new Array<number>(columns).fill(0), dims),
    ],
    perColumn ? { axis } : {},
  );
  return { name, scales: scales.map(Math.fround) };
}

function integerBias(
  w: ModelWriter,
  random: Random,
  scales: readonly number[],
  scaleX: number,
  n: number,
): string {
  const bias = Array.from({ length: n }, () => random.below(4001) - 2000);
  const own = scales.map((s) => Math.fround(s * scaleX));
  const dims = own.length > 1 ? [n] : [];
  return w.node(
    "DequantizeLinear",
    [
      w.codes("int32", bias, [n]),
      w.floats(own, dims),
      w.codes(
        "int32",
        own.map(() => 0),
        dims,
      ),
    ],
    own.length > 1 ? { axis: 0 } : {},
  );
}

const dense =
  (type: CodeType, weightType: CodeType, perColumn: boolean) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const [k, n] = [2 + random.below(30), 1 + random.below(10)];
    const x = randomCodes(w, random, "x", type, [1, k], 60);
    const scaleX = scaleFor(random, type);
    const real = w.node("DequantizeLinear", [
      x.name,
      w.floats([scaleX]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    const matrix = weights(w, random, [k, n], 1, perColumn, weightType);
    const product = w.node("MatMul", [real, matrix.name]);
    const sum = w.node("Add", [product, integerBias(w, random, matrix.scales, scaleX, n)]);
    const y = w.node("QuantizeLinear", [
      pick(random, [sum, w.node("Relu", [sum])]),
      w.floats([scaleFor(random, type)]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    return { bytes: w.finish(y), inputs: [x], count: 60 };
  };

const conv =
  (type: CodeType, perChannel: boolean) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const [c, m] = [1 + random.below(3), 1 + random.below(5)];
    const x = randomCodes(w, random, "x", type, [1, c, 6, 5], 20);
    const scaleX = scaleFor(random, type);
    const real = w.node("DequantizeLinear", [
      x.name,
      w.floats([scaleX]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    const kernel = weights(w, random, [m, c, 3, 3], 0, perChannel, "int8");
    const sums = w.node(
      "Conv",
      [real, kernel.name, integerBias(w, random, kernel.scales, scaleX, m)],
      {
        pads: [1, 1, 1, 0],
      },
    );
    const y = w.node("QuantizeLinear", [
      pick(random, [sums, w.node("Relu", [sums])]),
      w.floats([scaleFor(random, type)]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    return { bytes: w.finish(y), inputs: [x], count: 20 };
  };

/** Two values of their own scales. */
const binary =
  (opType: string, type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const inputs = [
      everyCode(w, "a", type, (count) => [count, 1]),
      everyCode(w, "b", type, (count) => [1, count]),
    ];
    const reals = inputs.map(({ name }) =>
      w.node("DequantizeLinear", [name, ...scalingOf(w, random, type)]),
    );
    const y = w.node("QuantizeLinear", [w.node(opType, reals), ...scalingOf(w, random, type)]);
    return { bytes: w.finish(y), inputs, count: 1 };
  };

/** A pooling between scales that are mostly the same, as exporters leave them. */
const pool =
  (
    opType: string,
    type: CodeType,
    attributes: Readonly<Record<string, number | readonly number[]>>,
  ) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const x = randomCodes(w, random, "x", type, [1, 3, 6, 4], 40);
    const scaling = scalingOf(w, random, type);
    const real = w.node("DequantizeLinear", [x.name, ...scaling]);
    const y = w.node("QuantizeLinear", [
      w.node(opType, [real], attributes),
      ...pick(random, [scaling, scalingOf(w, random, type)]),
    ]);
    return { bytes: w.finish(y), inputs: [x], count: 40 };
  };

const concat =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const inputs = ["a", "b"].map((name) => everyCode(w, name, type));
    const reals = inputs.map(({ name }) =>
      w.node("DequantizeLinear", [name, ...scalingOf(w, random, type)]),
    );
    const y = w.node("QuantizeLinear", [
      w.node("Concat", reals, { axis: 1 }),
      ...scalingOf(w, random, type),
    ]);
    return { bytes: w.finish(y), inputs, count: 1 };
  };

const types: readonly CodeType[] = ["int4", "uint4", "int8", "uint8", "int16", "uint16"];

/** Models with QuantizeLinear and DequantizeLinear, and around float operators. */
export const qdqProblems: readonly OperatorProblem[] = [
  ...types.flatMap((type) =>
    (["per tensor", "per axis", "blocked"] as const).map(
      (spread): OperatorProblem => ({
        operator: "QuantizeLinear",
        formats: `${type} ${spread}`,
        seeds: spread === "blocked" ? 3 : 10,
        make: quantize(type, spread),
      }),
    ),
  ),
  ...(["int8", "uint8", "int16", "uint16"] as const).map(
    (type): OperatorProblem => ({
      operator: "QuantizeLinear (com.microsoft)",
      formats: `${type} per tensor`,
      seeds: 5,
      make: quantize(type, "per tensor", microsoft),
    }),
  ),
  ...Object.entries(functions).flatMap(([operator, apply]): OperatorProblem[] =>
    (["int8", "uint8", "int16"] as const).map((type) => ({
      operator,
      formats: `${type} QDQ`,
      seeds: type === "int16" ? 3 : 25,
      make: between(type, apply),
    })),
  ),
  ...(["int8", "uint8", "int16"] as const).map(
    (type): OperatorProblem => ({
      operator: "Softmax",
      formats: `${type} QDQ`,
      seeds: 20,
      make: softmax(type),
    }),
  ),
  ...bothLevels.flatMap((optimization): OperatorProblem[] => {
    const how = optimization === "all" ? "QDQ, as optimized by ONNX Runtime" : "QDQ";
    return (["int8", "uint8"] as const).flatMap((type): OperatorProblem[] => [
      {
        operator: "MatMul",
        formats: `${type}, int8 per tensor; ${how}`,
        seeds: 20,
        optimization,
        make: dense(type, "int8", false),
      },
      {
        operator: "MatMul",
        formats: `${type}, int8 per column; ${how}`,
        seeds: 20,
        optimization,
        make: dense(type, "int8", true),
      },
      {
        operator: "Conv",
        formats: `${type}, int8 per tensor; ${how}`,
        seeds: 20,
        optimization,
        make: conv(type, false),
      },
      {
        operator: "Conv",
        formats: `${type}, int8 per channel; ${how}`,
        seeds: 20,
        optimization,
        make: conv(type, true),
      },
      {
        operator: "Add",
        formats: `${type}; ${how}`,
        seeds: 6,
        optimization,
        make: binary("Add", type),
      },
      {
        operator: "Mul",
        formats: `${type}; ${how}`,
        seeds: 6,
        optimization,
        make: binary("Mul", type),
      },
      {
        operator: "Concat",
        formats: `${type}; ${how}`,
        seeds: 10,
        optimization,
        make: concat(type),
      },
      {
        operator: "MaxPool",
        formats: `${type}; ${how}`,
        seeds: 15,
        optimization,
        make: pool("MaxPool", type, { kernel_shape: [2, 2], strides: [2, 2] }),
      },
      {
        operator: "AveragePool",
        formats: `${type}; ${how}`,
        seeds: 15,
        optimization,
        make: pool("AveragePool", type, { kernel_shape: [2, 2], strides: [2, 2] }),
      },
      {
        operator: "GlobalAveragePool",
        formats: `${type}; ${how}`,
        seeds: 15,
        optimization,
        make: pool("GlobalAveragePool", type, {}),
      },
    ]);
  }),
  {
    operator: "MatMul",
    formats: "int16, int8 per column; QDQ",
    seeds: 20,
    make: dense("int16", "int8", true),
  },
  {
    operator: "MatMul",
    formats: "int8, int4 per column; QDQ",
    seeds: 20,
    make: dense("int8", "int4", true),
  },
];
