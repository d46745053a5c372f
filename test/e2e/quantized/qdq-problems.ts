import type { Random } from "../../../src/base/index.ts";
import { type CodeType, codeTypes, ModelWriter } from "../../support/model-writer.ts";
import type { MadeModel, Optimization } from "./compare.ts";
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
/** Those with types of 8 bits; 16 and 4 bits came with 21. */
const opsets = [13, 19, 21, 23];
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

/** Codes to real numbers and a function: what comes out must be within a few of the last digits of float32. */
const realOutput =
  (type: CodeType, apply: Function) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const x = everyCode(w, "x", type);
    const scaling = [w.floats([scaleFor(random, type)]), w.codes(type, [zeroOf(random, type)])];
    const y = apply(w, w.node("DequantizeLinear", [x.name, ...scaling]), random);
    return { bytes: w.finish(y), inputs: [x], count: 1, step: 2 ** -20 };
  };

/** A function of one value times another value, as squeeze-and-excitation has it. */
const gated =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const inputs = [
      everyCode(w, "a", type, (count) => [count, 1]),
      everyCode(w, "b", type, (count) => [1, count]),
    ];
    const [a, b] = inputs.map(({ name }) =>
      w.node("DequantizeLinear", [
        name,
        w.floats([scaleFor(random, type)]),
        w.codes(type, [zeroOf(random, type)]),
      ]),
    );
    const product = w.node("Mul", [a, w.node("Sigmoid", [b])]);
    const y = w.node("QuantizeLinear", [product, ...scalingOf(w, random, type)]);
    return { bytes: w.finish(y), inputs, count: 1 };
  };

const softmax =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const { lo, hi } = codeTypes[type];
    const extent = 2 + random.below(20);
    const [shape, axis] = pick(random, [
      [[1, extent], -1],
      [[1, extent, 2, 3], 1],
      [[1, 4, extent], 2],
    ] as const);
    const x = randomCodes(w, random, "x", type, shape, type === "int16" ? 20 : 50);
    const scale = (scaleOf(random, 0.02, 0.2) * 256) / (hi - lo + 1);
    const real = w.node("DequantizeLinear", [
      x.name,
      w.floats([scale]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    const p = w.node("Softmax", [real], { axis });
    const y = w.node("QuantizeLinear", [
      p,
      w.floats([1 / (hi - lo + pick(random, [0, 1]))]),
      w.codes(type, [lo]),
    ]);
    return { bytes: w.finish(y), inputs: [x], count: type === "int16" ? 20 : 50 };
  };

const isOfBytes = (...list: readonly CodeType[]): boolean =>
  list.every((type) => type === "int8" || type === "uint8");

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
    return {
      bytes: w.finish(y, isOfBytes(type, weightType) ? pick(random, opsets) : 21),
      inputs: [x],
      count: 60,
    };
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
    return {
      bytes: w.finish(y, isOfBytes(type) ? pick(random, opsets) : 21),
      inputs: [x],
      count: 20,
    };
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

/** A product of two computed matrices, as in attention. */
const matMulOfTwo =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const [m, k, n] = [1, 2, 3].map(() => 1 + random.below(7));
    const inputs = [
      randomCodes(w, random, "a", type, [2, m, k], 20),
      randomCodes(w, random, "b", type, [2, k, n], 20),
    ];
    const reals = inputs.map(({ name }) =>
      w.node("DequantizeLinear", [name, ...scalingOf(w, random, type)]),
    );
    const y = w.node("QuantizeLinear", [w.node("MatMul", reals), ...scalingOf(w, random, type)]);
    return { bytes: w.finish(y), inputs, count: 20 };
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
const bytes: readonly CodeType[] = ["int8", "uint8"];

/** Codes of 16 bits leave float32 eight bits of its own, so about one in a thousand lies near a tie. */
const nearTiesOf = (type: CodeType): number => (codeTypes[type].hi > 255 ? 2e-3 : 0);

const quantizations = types.flatMap((type) =>
  (["per tensor", "per axis", "blocked"] as const).map(
    (spread): OperatorProblem => ({
      operator: "QuantizeLinear, DequantizeLinear",
      formats: `${type} ${spread}`,
      row: `${type} per tensor, per axis, blocked`,
      seeds: spread === "blocked" ? 2 : 10,
      make: quantize(type, spread),
      nearTies: spread === "per tensor" ? 0 : nearTiesOf(type),
    }),
  ),
);

const microsoftQuantizations = types.slice(2).map(
  (type): OperatorProblem => ({
    operator: "the same of com.microsoft",
    formats: type,
    row: "int8, uint8, int16, uint16",
    seeds: 5,
    make: quantize(type, "per tensor", microsoft),
  }),
);

const betweenQuantizations = [
  ...Object.entries(functions).map(
    ([operator, apply]) => [operator, 25, (type: CodeType) => between(type, apply)] as const,
  ),
  ["Softmax", 20, softmax] as const,
].flatMap(([operator, seeds, make]) =>
  (["int8", "uint8", "int16"] as const).map(
    (type): OperatorProblem => ({
      operator,
      formats: type,
      row: type === "int16" ? "int16" : "int8, uint8",
      seeds: type === "int16" ? 3 : seeds,
      make: make(type),
      // A softmax has a sum in it.
      nearTies: Math.max(nearTiesOf(type), operator === "Softmax" ? 1e-4 : 0),
    }),
  ),
);

/** No quantization follows: real numbers come out, or go on into a product. */
const unquantized = (["int8", "uint8"] as const).flatMap((type): OperatorProblem[] => [
  ...["Sigmoid", "Tanh", "Softsign"].map((operator) => ({
    operator: `${operator}, real result`,
    formats: type,
    row: "int8, uint8",
    seeds: 25,
    make: realOutput(type, functions[operator]),
  })),
  {
    operator: "Sigmoid times another value",
    formats: type,
    row: "int8, uint8",
    seeds: 5,
    make: gated(type),
    nearTies: 1e-4,
  },
]);

const halved = { kernel_shape: [2, 2], strides: [2, 2] };

/**
 * What ONNX Runtime makes operators on integers of, unless it is told not to. Sums in float32 decide near ties, of
 * which means of integers have many: a quarter of those of four lie in the middle.
 */
const layers: readonly (readonly [
  string,
  number,
  (type: CodeType) => OperatorProblem["make"],
  number?,
])[] = [
  ["MatMul and Add, weights per tensor", 20, (type) => dense(type, "int8", false), 1e-3],
  ["MatMul and Add, weights per column", 20, (type) => dense(type, "int8", true), 1e-3],
  ["MatMul of two computed values", 20, matMulOfTwo, 1e-3],
  ["Conv, weights per tensor", 20, (type) => conv(type, false), 1e-3],
  ["Conv, weights per channel", 20, (type) => conv(type, true), 1e-3],
  ["Add", 6, (type) => binary("Add", type), 1e-4],
  ["Mul", 6, (type) => binary("Mul", type)],
  ["Concat", 10, concat],
  ["MaxPool", 15, (type) => pool("MaxPool", type, halved)],
  ["AveragePool", 15, (type) => pool("AveragePool", type, halved), 0.1],
  ["GlobalAveragePool", 15, (type) => pool("GlobalAveragePool", type, {}), 2e-2],
];

const layerProblems = bothLevels.flatMap((optimization) =>
  layers.flatMap(([operator, seeds, make, nearTies = 0]) =>
    bytes.map(
      (type): OperatorProblem => ({
        operator,
        formats: `${type}${optimization === "all" ? ", optimized" : ""}`,
        row: `int8, uint8${optimization === "all" ? "; as ONNX Runtime optimizes it" : ""}`,
        seeds,
        make: make(type),
        optimization,
        nearTies,
      }),
    ),
  ),
);

/** Models with QuantizeLinear and DequantizeLinear, and around float operators. */
export const qdqProblems: readonly OperatorProblem[] = [
  ...quantizations,
  ...microsoftQuantizations,
  ...betweenQuantizations,
  ...unquantized,
  ...layerProblems,
  {
    operator: "MatMul and Add, weights per column",
    formats: "int16",
    row: "int16",
    seeds: 6,
    make: dense("int16", "int8", true),
    nearTies: 1e-2,
  },
  {
    operator: "MatMul and Add, weights per column",
    formats: "int8, weights int4",
    row: "int8, weights int4",
    seeds: 20,
    make: dense("int8", "int4", true),
    nearTies: 1e-3,
  },
];
