import type { Random } from "../../../src/base/index.ts";
import { type CodeType, ModelWriter } from "../../support/model-writer.ts";
import type { MadeModel } from "./compare.ts";
import {
  codesOf,
  everyCode,
  type OperatorProblem,
  pick,
  randomCodes,
  scaleOf,
  scalingOf,
  zeroOf,
} from "./problem.ts";

const microsoft = "com.microsoft";
const bytes: readonly CodeType[] = ["uint8", "int8"];

/** Every pair of two codes. */
const binary =
  (operator: string, type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const a = everyCode(w, "a", type, (count) => [count, 1]);
    const b = everyCode(w, "b", type, (count) => [1, count]);
    const [sa, sb, sy] = Array.from({ length: 3 }, () => scalingOf(w, random, type));
    const y = w.node(operator, [a.name, ...sa, b.name, ...sb, ...sy], {}, microsoft);
    return { bytes: w.finish(y), inputs: [a, b], count: 1 };
  };

const unary =
  (operator: string, type: CodeType, attributes: (random: Random) => object = () => ({})) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const x = everyCode(w, "x", type);
    const [sx, sy] = [scalingOf(w, random, type), scalingOf(w, random, type)];
    const own = attributes(random) as Record<string, number>;
    const y = w.node(operator, [x.name, ...sx, ...sy], own, microsoft);
    return { bytes: w.finish(y), inputs: [x], count: 1 };
  };

const concat =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const parts = ["a", "b", "c"].map((name) => everyCode(w, name, type));
    const y = w.node(
      "QLinearConcat",
      [
        ...scalingOf(w, random, type),
        ...parts.flatMap(({ name }) => [name, ...scalingOf(w, random, type)]),
      ],
      { axis: pick(random, [0, 1, -1]) },
      microsoft,
    );
    return { bytes: w.finish(y), inputs: parts, count: 1 };
  };

const where =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const condition = randomCodes(w, random, "condition", "bool", [4, 256], 1);
    const [x, y] = ["a", "b"].map((name) => everyCode(w, name, type));
    const [sx, sy, sz] = Array.from({ length: 3 }, () => scalingOf(w, random, type));
    const z = w.node(
      "QLinearWhere",
      [condition.name, x.name, ...sx, y.name, ...sy, ...sz],
      {},
      microsoft,
    );
    return { bytes: w.finish(z), inputs: [condition, x, y], count: 1 };
  };

const globalAverage =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const shape = [1, 5, 1 + random.below(6), 1 + random.below(6)];
    const x = randomCodes(w, random, "x", type, shape, 60);
    const [sx, sy] = [scalingOf(w, random, type), scalingOf(w, random, type)];
    const y = w.node("QLinearGlobalAveragePool", [x.name, ...sx, ...sy], {}, microsoft);
    return { bytes: w.finish(y), inputs: [x], count: 60 };
  };

const average =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const x = randomCodes(w, random, "x", type, [1, 3, 7, 6], 30);
    const [sx, sy] = [scalingOf(w, random, type), scalingOf(w, random, type)];
    const window = pick(random, [
      { kernel_shape: [2, 2], strides: [2, 2] },
      { kernel_shape: [3, 3], strides: [1, 2], pads: [1, 1, 1, 1] },
      { kernel_shape: [3, 2], pads: [1, 0, 1, 1], count_include_pad: 1 },
      { kernel_shape: [1, 5] },
    ]);
    const y = w.node("QLinearAveragePool", [x.name, ...sx, ...sy], window, microsoft);
    return { bytes: w.finish(y), inputs: [x], count: 30 };
  };

const softmax =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const x = randomCodes(w, random, "x", type, [1, 2 + random.below(20)], 200);
    const scale = w.floats([scaleOf(random, 0.02, 0.2)]);
    const zero = w.codes(type, [zeroOf(random, type)]);
    const scaleY = w.floats([pick(random, [1 / 256, 1 / 255, scaleOf(random, 0.003, 0.006)])]);
    const zeroY = w.codes(type, [type === "uint8" ? 0 : -128]);
    const y = w.node(
      "QLinearSoftmax",
      [x.name, scale, zero, scaleY, zeroY],
      { opset: 13, axis: -1 },
      microsoft,
    );
    return { bytes: w.finish(y), inputs: [x], count: 200 };
  };

/** Scales of weights: one, or one for each column, and the zero points that go with them. */
function weightScaling(
  w: ModelWriter,
  random: Random,
  type: CodeType,
  columns: number,
  perColumn: boolean,
): readonly [string, string] {
  if (!perColumn) {
    const zero = pick(random, [0, zeroOf(random, type)]);
    return [w.floats([scaleOf(random, 0.001, 0.02)]), w.codes(type, [zero])];
  }
  const scales = Array.from({ length: columns }, () => scaleOf(random, 0.001, 0.02));
  return [
    w.floats(scales, [columns]),
    w.codes(type, new Array<number>(columns).fill(0), [columns]),
  ];
}

const matMul =
  (type: CodeType, weights: CodeType, perColumn: boolean) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const [k, n] = [1 + random.below(40), 1 + random.below(12)];
    const x = randomCodes(w, random, "x", type, [1, k], 60);
    const y = w.node("QLinearMatMul", [
      x.name,
      ...scalingOf(w, random, type),
      w.codes(weights, codesOf(random, weights, k * n), [k, n]),
      ...weightScaling(w, random, weights, n, perColumn),
      w.floats([scaleOf(random, 0.01, 0.3)]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    return { bytes: w.finish(y), inputs: [x], count: 60 };
  };

/** Both sides are computed, as in attention. */
const matMulOfTwo =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const [m, k, n] = [1, 2, 3].map(() => 1 + random.below(7));
    const a = randomCodes(w, random, "a", type, [2, m, k], 20);
    const b = randomCodes(w, random, "b", type, [2, k, n], 20);
    const y = w.node("QLinearMatMul", [
      a.name,
      ...scalingOf(w, random, type),
      b.name,
      ...scalingOf(w, random, type),
      w.floats([scaleOf(random, 0.01, 0.3)]),
      w.codes(type, [zeroOf(random, type)]),
    ]);
    return { bytes: w.finish(y), inputs: [a, b], count: 20 };
  };

/** Without a scale of the result: real numbers come out. */
const gemmToReal =
  (type: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const [k, n] = [1 + random.below(30), 1 + random.below(10)];
    const x = randomCodes(w, random, "x", type, [1, k], 60);
    const [scaleX, scaleW] = [scaleOf(random), scaleOf(random, 0.001, 0.02)];
    const y = w.node(
      "QGemm",
      [
        x.name,
        w.floats([scaleX]),
        w.codes(type, [zeroOf(random, type)]),
        w.codes(type, codesOf(random, type, k * n), [k, n]),
        w.floats([scaleW]),
        w.codes(type, [zeroOf(random, type)]),
      ],
      {},
      microsoft,
    );
    return { bytes: w.finish(y), inputs: [x], count: 60, step: scaleX * scaleW };
  };

const conv =
  (type: CodeType, perChannel: boolean) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const groups = pick(random, [1, 1, 2]);
    const [c, m] = [groups * (1 + random.below(2)), groups * (1 + random.below(3))];
    const x = randomCodes(w, random, "x", type, [1, c, 6, 5], 20);
    const bias = Array.from({ length: m }, () => random.below(8001) - 4000);
    const y = w.node(
      "QLinearConv",
      [
        x.name,
        ...scalingOf(w, random, type),
        w.codes("int8", codesOf(random, "int8", (m * c * 9) / groups), [m, c / groups, 3, 3]),
        ...weightScaling(w, random, "int8", m, perChannel),
        w.floats([scaleOf(random, 0.02, 0.3)]),
        w.codes(type, [zeroOf(random, type)]),
        w.codes("int32", bias, [m]),
      ],
      {
        group: groups,
        pads: pick(random, [
          [0, 0, 0, 0],
          [1, 1, 1, 0],
        ]),
        strides: pick(random, [
          [1, 1],
          [2, 1],
        ]),
      },
    );
    return { bytes: w.finish(y), inputs: [x], count: 20 };
  };

const gemm =
  (type: CodeType, perColumn: boolean) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const [k, n] = [1 + random.below(30), 1 + random.below(10)];
    const transB = random.below(2);
    const x = randomCodes(w, random, "x", type, [1, k], 60);
    const bias = Array.from({ length: n }, () => random.below(8001) - 4000);
    const y = w.node(
      "QGemm",
      [
        x.name,
        ...scalingOf(w, random, type),
        w.codes(type, codesOf(random, type, k * n), transB === 1 ? [n, k] : [k, n]),
        ...weightScaling(w, random, type, n, perColumn),
        pick(random, ["", w.codes("int32", bias, [n])]),
        w.floats([scaleOf(random, 0.02, 0.3)]),
        w.codes(type, [zeroOf(random, type)]),
      ],
      { transB, alpha: { float: pick(random, [1, 1, 0.5, 0.3]) } },
      microsoft,
    );
    return { bytes: w.finish(y), inputs: [x], count: 60 };
  };

const matMulInteger =
  (type: CodeType, weights: CodeType) =>
  (random: Random): MadeModel => {
    const w = new ModelWriter();
    const [k, n] = [1 + random.below(40), 1 + random.below(12)];
    const x = randomCodes(w, random, "x", type, [1, k], 60);
    const y = w.node("MatMulInteger", [
      x.name,
      w.codes(weights, codesOf(random, weights, k * n), [k, n]),
      w.codes(type, [zeroOf(random, type)]),
      pick(random, [
        w.codes(weights, [zeroOf(random, weights)]),
        w.codes(weights, codesOf(random, weights, n), [n]),
      ]),
    ]);
    return { bytes: w.finish(y), inputs: [x], count: 60 };
  };

const convInteger = (random: Random): MadeModel => {
  const w = new ModelWriter();
  const [c, m] = [1 + random.below(3), 1 + random.below(4)];
  const x = randomCodes(w, random, "x", "uint8", [1, c, 6, 5], 20);
  const y = w.node(
    "ConvInteger",
    [
      x.name,
      w.codes("uint8", codesOf(random, "uint8", m * c * 6), [m, c, 3, 2]),
      w.codes("uint8", [zeroOf(random, "uint8")]),
      w.codes("uint8", [zeroOf(random, "uint8")]),
    ],
    { pads: [1, 0, 1, 1], strides: [1, 2] },
  );
  return { bytes: w.finish(y), inputs: [x], count: 20 };
};

type Makers = readonly (readonly [string, number, (type: CodeType) => OperatorProblem["make"]])[];

const elementwise: Makers = [
  ["QLinearAdd", 8, (type) => binary("QLinearAdd", type)],
  ["QLinearMul", 8, (type) => binary("QLinearMul", type)],
  ["QLinearConcat", 20, concat],
  ["QLinearWhere", 10, where],
  ["QLinearSigmoid", 40, (type) => unary("QLinearSigmoid", type)],
  [
    "QLinearLeakyRelu",
    40,
    (type) =>
      unary("QLinearLeakyRelu", type, (random) => ({
        alpha: { float: pick(random, [0.01, 0.1, 0.125, 0.3]) },
      })),
  ],
  ["QLinearSoftmax", 20, softmax],
  ["QLinearAveragePool", 20, average],
  ["QLinearGlobalAveragePool", 30, globalAverage],
];

const products: readonly (readonly [
  string,
  (type: CodeType, perColumn: boolean) => OperatorProblem["make"],
])[] = [
  ["QLinearMatMul", (type, perColumn) => matMul(type, "int8", perColumn)],
  ["QLinearConv", conv],
  ["QGemm", gemm],
];

/** In these a processor adds in float32 (ONNX Runtime on ARM in yet another way), so it decides near ties. */
const sums: Readonly<Record<string, number>> = {
  QLinearAdd: 1e-4,
  QLinearAveragePool: 1e-2,
  QLinearSoftmax: 1e-4,
};

const integerProblem = (operator: string, formats: string, make: OperatorProblem["make"]) => ({
  operator,
  formats,
  row: "int8, uint8",
  seeds: 15,
  make,
});

/** Operators on integers, of the standard and of ONNX Runtime. */
export const qlinearProblems: readonly OperatorProblem[] = [
  ...elementwise.flatMap(([operator, seeds, make]) =>
    bytes.map(
      (type): OperatorProblem => ({
        operator,
        formats: type,
        row: "int8, uint8",
        seeds,
        make: make(type),
        nearTies: sums[operator] ?? 0,
      }),
    ),
  ),
  ...products.flatMap(([operator, make]) =>
    bytes.flatMap((type) =>
      [false, true].map(
        (perColumn): OperatorProblem => ({
          operator,
          formats: `${type} per ${perColumn ? "column" : "tensor"}`,
          row: "int8, uint8; weights per tensor, per column",
          seeds: 15,
          make: make(type, perColumn),
        }),
      ),
    ),
  ),
  ...bytes.flatMap((type) => [
    integerProblem("QLinearMatMul of two computed values", type, matMulOfTwo(type)),
    integerProblem("QGemm with a real result", type, gemmToReal(type)),
  ]),
  integerProblem("MatMulInteger", "uint8, int8", matMulInteger("uint8", "int8")),
  integerProblem("MatMulInteger", "int8, int8", matMulInteger("int8", "int8")),
  integerProblem("ConvInteger", "uint8, uint8", convInteger),
];
