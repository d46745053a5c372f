import fc from "fast-check";
import { type Format, type StepRounding, stepRoundings } from "../../src/fixed/index.ts";
import type { Attrs, AttrValue } from "../../src/ir/index.ts";
import { type OpName, opTable, precisionAttrs } from "../../src/ops/index.ts";
import { type Shape, sizeOf } from "../../src/tensor/index.ts";
import { arbitraryFormat, arbitraryPrecision } from "../arbitrary/formats.ts";
import { arbitraryBroadcast, arbitraryReal, arbitraryShape } from "../arbitrary/tensors.ts";
import type { OnnxTwin } from "./onnx-twin.ts";

/** One way to apply an operator. */
export interface Application {
  readonly args: readonly ArgProblem[];
  readonly attrs: Attrs;
}

export interface ArgProblem {
  readonly shape: Shape;
  readonly isConst: boolean;
  /** Real numbers that the argument may hold. Default: `arbitraryReal`. */
  readonly real?: fc.Arbitrary<number>;
}

/** What the battery must know of an operator to put problems to it. */
export interface OpProblems {
  readonly application: fc.Arbitrary<Application>;
  /** The same in ONNX; null where ONNX has no such operator. */
  readonly onnx: ((application: Application) => OnnxTwin) | null;
  /** Formats of the arguments. Default: any, with one binary point where the operator asks for it. */
  readonly formats?: (
    application: Application,
    limits: { maxWidth: number },
  ) => fc.Arbitrary<readonly Format[]>;
  /** Attributes that only make sense once the formats are known. */
  readonly quantAttrs?: (attrs: Attrs, formats: readonly Format[]) => fc.Arbitrary<Attrs>;
  /** Set where the proven intervals are not the least possible, with the reason. */
  readonly looseBecause?: string;
  /**
   * Set where a result is greatest or least with some elements of an argument high and others low. Elsewhere
   * all elements of an argument may go up together.
   */
  readonly hasCorners?: boolean;
  /** Errors are relative to the answer of ONNX Runtime, or to this where that is nearer to zero. Default: 0. */
  readonly floorOfError?: number;
}

const variable = (shape: Shape): ArgProblem => ({ shape, isConst: false });
const constant = (shape: Shape): ArgProblem => ({ shape, isConst: true });

/** One argument of any shape. */
const unary = (attrs: fc.Arbitrary<Attrs> = fc.constant({})): fc.Arbitrary<Application> =>
  fc.record({ args: fc.tuple(arbitraryShape().map(variable)), attrs });

/** Two arguments that broadcast, at most one of them constant. */
const binary: fc.Arbitrary<Application> = arbitraryShape().chain((shape) =>
  fc
    .record({
      a: fc.oneof(fc.constant(shape), arbitraryBroadcast(shape)),
      b: fc.oneof(fc.constant(shape), arbitraryBroadcast(shape)),
      constAt: fc.constantFrom(-1, -1, 0, 1),
    })
    .map(({ a, b, constAt }) => ({
      args: [a, b].map((side, i) => ({ shape: side, isConst: i === constAt })),
      attrs: {},
    })),
);

/** One argument and an axis of it, counted from either end. */
const alongAxis = (
  attrs: (axis: number, shape: Shape) => fc.Arbitrary<Attrs>,
): fc.Arbitrary<Application> =>
  arbitraryShape(1).chain((shape) =>
    fc
      .integer({ min: -shape.length, max: shape.length - 1 })
      .chain((axis) => attrs(axis, shape))
      .map((made) => ({ args: [variable(shape)], attrs: made })),
  );

const reduction = alongAxis((axis) =>
  fc.record({ axis: fc.constant(axis), keepdims: fc.boolean(), last: fc.constant(false) }),
);

/** One ONNX node whose inputs are the arguments and whose attributes are the operator's own. */
const sameNode =
  (opType: string) =>
  ({ args, attrs }: Application): OnnxTwin => ({
    nodes: [{ opType, inputs: args.map((_, i) => `x${i}`), attrs: withoutBooleans(attrs) }],
  });

const withoutBooleans = (attrs: Attrs): Record<string, Exclude<AttrValue, boolean>> =>
  Object.fromEntries(
    Object.entries(attrs).map(([key, value]) => [
      key,
      typeof value === "boolean" ? Number(value) : value,
    ]),
  );

/** Tables stay small enough to be checked code by code. */
const tableFormats: OpProblems["formats"] = (_application, { maxWidth }) =>
  fc.tuple(arbitraryFormat({ maxWidth: Math.min(maxWidth, 9), maxFrac: 10 }));

const withPrecision: OpProblems["quantAttrs"] = (attrs) =>
  arbitraryPrecision().map((precision) => ({ ...attrs, ...precisionAttrs(precision) }));

const table = (
  onnx: OpProblems["onnx"],
  attrs?: fc.Arbitrary<Attrs>,
  real?: fc.Arbitrary<number>,
): OpProblems => ({
  application: unary(attrs).map((application) => ({
    ...application,
    args: application.args.map((arg) => ({ ...arg, ...(real && { real }) })),
  })),
  onnx,
  formats: tableFormats,
  quantAttrs: withPrecision,
  looseBecause: "one interval stands for all elements of a table's result",
});

const nonZero = arbitraryReal.filter((value) => value !== 0);
const positive = fc.integer({ min: 1, max: 64 }).map((eighths) => eighths / 8);

/** Windows over `rank` spatial axes that all hold an element which is no padding. */
const arbitraryWindows = (rank: number) =>
  fc
    .array(
      fc
        .record({
          kernel: fc.integer({ min: 1, max: 3 }),
          stride: fc.integer({ min: 1, max: 2 }),
          dilation: fc.constantFrom(1, 1, 2),
          extent: fc.integer({ min: 1, max: 4 }),
        })
        .chain(({ kernel, dilation, ...rest }) =>
          fc
            .tuple(fc.nat({ max: kernel - 1 }), fc.nat({ max: kernel - 1 }))
            .map(([begin, end]) => ({ kernel, dilation, begin, end, ...rest })),
        )
        .filter(
          ({ kernel, dilation, begin, end, extent }) =>
            extent + begin + end > dilation * (kernel - 1) &&
            // Each place of a dilated window must meet the value.
            (dilation === 1 || (begin <= extent && end <= extent && extent > 1)),
        ),
      { minLength: rank, maxLength: rank },
    )
    .map((axes) => ({
      spatial: axes.map(({ extent }) => extent),
      attrs: {
        kernel: axes.map(({ kernel }) => kernel),
        strides: axes.map(({ stride }) => stride),
        dilations: axes.map(({ dilation }) => dilation),
        pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)],
      },
    }));

const arbitraryPool = (ours: "max_pool" | "sum_pool"): fc.Arbitrary<Application> =>
  fc
    .integer({ min: 1, max: 3 })
    .chain((rank) => fc.tuple(arbitraryWindows(rank), fc.integer({ min: 1, max: 3 })))
    .map(([{ spatial, attrs }, channels]) => ({
      args: [variable([1, ...spatial, channels])],
      attrs,
    }))
    .filter(({ args, attrs }) => {
      try {
        opTable[ours].type([{ shape: args[0].shape, dtype: "float" }], attrs as never);
        return true;
      } catch {
        return false;
      }
    });

/** Orders of axes: channels to the second place, and back to the last. */
const channelsFirst = (rank: number) => [
  0,
  rank + 1,
  ...Array.from({ length: rank }, (_, i) => i + 1),
];
const channelsLast = (rank: number) => [0, ...Array.from({ length: rank }, (_, i) => i + 2), 1];

/** The attributes of windows under the names of ONNX. */
const windowTwin = ({ kernel, ...rest }: Attrs): Record<string, readonly number[]> => ({
  kernel_shape: kernel as number[],
  ...(rest as Record<string, number[]>),
});

const inUnit = fc.integer({ min: -8, max: 8 }).map((eighths) => eighths / 8);
const oneUp = fc.integer({ min: 8, max: 64 }).map((eighths) => eighths / 8);
const notNegative = fc.oneof(positive, fc.constant(0));

/** A table that ONNX has under a name of its own, on the real numbers that it is defined for. */
const functionTable = (opType: string, real?: fc.Arbitrary<number>): OpProblems =>
  table(sameNode(opType), undefined, real);

/** A table that may be one of several, each for a section of the domain. */
const steep = (problem: OpProblems): OpProblems => ({
  ...problem,
  quantAttrs: (attrs) =>
    fc
      .tuple(
        arbitraryPrecision(),
        fc.constantFrom(
          {},
          { bottom: 0.5 },
          { bottom: 0.5, until: 2, last: 1.75 },
          { until: 2, last: 1.5 },
        ),
      )
      .map(([precision, section]) => ({ ...attrs, ...section, ...precisionAttrs(precision) })),
});

/** The same with an attribute. */
const attributed = (
  name: string,
  values: readonly number[],
  onnx: OpProblems["onnx"],
): OpProblems =>
  table(
    onnx,
    fc.constantFrom(...values).map((value) => ({ [name]: value })),
  );

/** Rounding in float32 is felt where a function passes through zero. */
const near = (problem: OpProblems, floorOfError: number): OpProblems => ({
  ...problem,
  floorOfError,
});

/** Two arguments, of which the second is 0 or 1. */
const truth = fc.constantFrom(0, 1);
const bit: Format = { signed: false, width: 1, frac: 0 };

/** Every operator and the problems it is given. Without an entry the tests do not compile. */
export const problems: Readonly<Record<OpName, OpProblems>> = {
  acos: near(functionTable("Acos", inUnit), 1e-2),
  acosh: near(functionTable("Acosh", oneUp), 1e-2),
  add: { application: binary, onnx: sameNode("Add") },
  argmax: {
    application: alongAxis((axis) =>
      fc.record({ axis: fc.constant(axis), keepdims: fc.boolean(), last: fc.boolean() }),
    ),
    onnx: ({ attrs: { last, axis, keepdims } }) => ({
      nodes: [
        {
          opType: "ArgMax",
          inputs: ["x0"],
          attrs: withoutBooleans({ axis, keepdims, select_last_index: last }),
        },
      ],
    }),
    looseBecause: "positions are not ruled out by comparing intervals",
  },
  argmin: {
    application: alongAxis((axis) =>
      fc.record({ axis: fc.constant(axis), keepdims: fc.boolean(), last: fc.boolean() }),
    ),
    onnx: ({ attrs: { last, axis, keepdims } }) => ({
      nodes: [
        {
          opType: "ArgMin",
          inputs: ["x0"],
          attrs: withoutBooleans({ axis, keepdims, select_last_index: last }),
        },
      ],
    }),
    looseBecause: "positions are not ruled out by comparing intervals",
  },
  asin: near(functionTable("Asin", inUnit), 1e-2),
  asinh: near(functionTable("Asinh"), 1e-2),
  atan: functionTable("Atan"),
  atanh: near(functionTable("Atanh", inUnit), 1e-2),
  batch_norm: {
    application: arbitraryShape(2)
      .chain((shape) => fc.tuple(fc.constant(shape), fc.constantFrom(1e-5, 0.125)))
      .map(([shape, epsilon]) => ({
        args: [
          variable(shape),
          ...Array.from({ length: 3 }, () => constant([shape[1]])),
          { ...constant([shape[1]]), real: positive },
        ],
        attrs: { epsilon },
      })),
    onnx: sameNode("BatchNormalization"),
    // Product and shift may cancel; each is rounded to float32.
    floorOfError: 8,
  },
  celu: attributed("alpha", [1, 0.5, 2], sameNode("Celu")),
  clip: {
    application: unary(
      fc.record({
        min: fc.oneof(arbitraryReal, fc.constant(-Infinity)),
        max: fc.oneof(arbitraryReal, fc.constant(Infinity)),
      }),
    ),
    onnx: ({ attrs: { min, max } }) => ({
      nodes: [{ opType: "Clip", inputs: ["x0", "min", "max"] }],
      constants: {
        min: { dims: [], float: [min as number] },
        max: { dims: [], float: [max as number] },
      },
    }),
    // Bounds that the argument's binary point can express, so that they are not rounded.
    quantAttrs: (_attrs, [{ frac }]) =>
      fc.record({
        min: fc.oneof(
          fc.integer({ min: -999, max: 999 }).map((code) => code * 2 ** -frac),
          fc.constant(-Infinity),
        ),
        max: fc.oneof(
          fc.integer({ min: -999, max: 999 }).map((code) => code * 2 ** -frac),
          fc.constant(Infinity),
        ),
      }),
  },
  concat: {
    application: arbitraryShape(1).chain((shape) =>
      fc
        .record({
          axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
          extents: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
          constAt: fc.constantFrom(-1, 1),
        })
        .map(({ axis, extents, constAt }) => ({
          args: extents.map((extent, i) => ({
            shape: shape.with(axis, extent),
            isConst: i === constAt,
          })),
          attrs: { axis },
        })),
    ),
    onnx: sameNode("Concat"),
  },
  conv: {
    application: fc
      .record({
        rank: fc.integer({ min: 1, max: 3 }),
        batch: fc.integer({ min: 1, max: 2 }),
        group: fc.integer({ min: 1, max: 3 }),
        channels: fc.integer({ min: 1, max: 2 }),
        columns: fc.integer({ min: 1, max: 3 }),
        hasBias: fc.boolean(),
        isConst: fc.constantFrom(true, true, true, false),
      })
      .chain(({ rank, batch, group, channels, columns, hasBias, isConst }) =>
        arbitraryWindows(rank).map(({ spatial, attrs }) => ({
          args: [
            variable([batch, ...spatial, group * channels]),
            { shape: [group, sizeOf(attrs.kernel) * channels, columns], isConst },
            ...(hasBias ? [constant([group * columns])] : []),
          ],
          attrs: { ...attrs, group },
        })),
      ),
    onnx: ({ args: [x, w, bias], attrs: { group, ...windows } }) => {
      const kernel = windows["kernel"] as number[];
      const rank = kernel.length;
      const groups = group as number;
      const channels = (x.shape.at(-1) as number) / groups;
      const columns = w.shape[2];
      const list = (int: readonly number[]) => ({ dims: [int.length], int });
      return {
        nodes: [
          { opType: "Reshape", inputs: ["x1", "apart"] },
          // [group, ...kernel, C, M] to [group, M, C, ...kernel]
          {
            opType: "Transpose",
            inputs: ["previous"],
            attrs: { perm: [0, rank + 2, rank + 1, ...kernel.map((_, i) => i + 1)] },
          },
          { opType: "Reshape", inputs: ["previous", "joined"] },
          { opType: "Transpose", inputs: ["x0"], attrs: { perm: channelsFirst(rank) } },
          {
            opType: "Conv",
            inputs: ["previous", "t2", ...(bias === undefined ? [] : ["x2"])],
            attrs: { ...windowTwin(windows), group: groups },
          },
          { opType: "Transpose", inputs: ["previous"], attrs: { perm: channelsLast(rank) } },
        ],
        constants: {
          apart: list([groups, ...kernel, channels, columns]),
          joined: list([groups * columns, channels, ...kernel]),
        },
      };
    },
    // The bias has no finer point than the products.
    formats: ({ args }, { maxWidth }) =>
      fc
        .record({
          a: arbitraryFormat({ maxWidth }),
          b: arbitraryFormat({ maxWidth }),
          c: arbitraryFormat({ maxWidth, minFrac: 0, maxFrac: 5 }),
        })
        .map(({ a, b, c }) =>
          [a, b, { ...c, frac: a.frac + b.frac - c.frac }].slice(0, args.length),
        ),
    looseBecause: "one interval stands for all positions of a channel, and for the padding",
  },
  cos: near(functionTable("Cos"), 1e-1),
  cosh: functionTable("Cosh"),
  div: {
    application: binary.map(({ args: [a, b], attrs }) => ({
      args: [a, { ...b, real: nonZero }],
      attrs,
    })),
    onnx: sameNode("Div"),
  },
  elu: attributed("alpha", [1, 0.5, 2], sameNode("Elu")),
  erf: near(functionTable("Erf"), 1e-2),
  exp: functionTable("Exp"),
  exp_neg: {
    ...table(
      () => ({
        nodes: [
          { opType: "Neg", inputs: ["x0"] },
          { opType: "Exp", inputs: ["previous"] },
        ],
      }),
      undefined,
      fc.oneof(positive, fc.constant(0)),
    ),
    formats: (_application, { maxWidth }) =>
      fc.tuple(
        arbitraryFormat({ maxWidth: Math.min(maxWidth, 9), maxFrac: 10 }).map((format) => ({
          ...format,
          signed: false,
        })),
      ),
  },
  expand: {
    application: arbitraryShape().chain((shape) =>
      arbitraryBroadcast(shape).map((from) => ({ args: [variable(from)], attrs: { shape } })),
    ),
    onnx: ({ attrs: { shape } }) => ({
      nodes: [{ opType: "Expand", inputs: ["x0", "shape"] }],
      constants: { shape: { dims: [(shape as number[]).length], int: shape as number[] } },
    }),
  },
  floor: { application: unary(), onnx: sameNode("Floor") },
  gather: {
    application: alongAxis((axis, shape) =>
      fc.record({
        axis: fc.constant(axis),
        indices: fc.array(fc.nat({ max: (shape.at(axis) as number) - 1 }), {
          minLength: 1,
          maxLength: 4,
        }),
      }),
    ),
    onnx: ({ attrs: { axis, indices } }) => ({
      nodes: [{ opType: "Gather", inputs: ["x0", "indices"], attrs: { axis: axis as number } }],
      constants: {
        indices: { dims: [(indices as number[]).length], int: indices as number[] },
      },
    }),
  },
  // ONNX Runtime's own approximation of erf is off by 1e-7, which stands alone far below zero.
  gelu: near(functionTable("Gelu"), 1),
  gelu_tanh: near(
    table(({ args }) => ({
      nodes: [
        { opType: "Gelu", inputs: args.map((_, i) => `x${i}`), attrs: { approximate: "tanh" } },
      ],
    })),
    1,
  ),
  gemm: {
    application: fc
      .record({
        sides: fc.tuple(...Array.from({ length: 3 }, () => fc.integer({ min: 1, max: 3 }))),
        transA: fc.boolean(),
        transB: fc.boolean(),
        alpha: fc.constantFrom(1, 0.5, -2),
        beta: fc.constantFrom(1, 0, 0.25),
        isConst: fc.tuple(fc.boolean(), fc.boolean()),
      })
      .chain(({ sides: [m, k, n], transA, transB, alpha, beta, isConst }) =>
        fc.option(arbitraryBroadcast([m, n]), { nil: undefined }).map(
          (c): Application => ({
            args: [
              variable(transA ? [k, m] : [m, k]),
              { shape: transB ? [n, k] : [k, n], isConst: isConst[0] },
              ...(c === undefined ? [] : [{ shape: c, isConst: isConst[1] }]),
            ],
            attrs: { alpha, beta, transA, transB },
          }),
        ),
      ),
    onnx: sameNode("Gemm"),
  },
  identity: { application: unary(), onnx: sameNode("Identity") },
  is_positive: {
    application: unary(),
    onnx: ({ args }) => ({
      nodes: [{ opType: "Greater", inputs: [...args.map((_, i) => `x${i}`), "zero"] }],
      constants: { zero: { dims: [], float: [0] } },
    }),
  },
  log: steep(near(functionTable("Log", notNegative), 1e-1)),
  mask: {
    application: binary.map(({ args: [x, condition], attrs }) => ({
      args: [x, { ...condition, real: truth }],
      attrs,
    })),
    onnx: sameNode("Mul"),
    formats: (_application, { maxWidth }) =>
      fc.tuple(arbitraryFormat({ maxWidth }), fc.constant(bit)),
  },
  matmul: {
    hasCorners: true,
    application: fc
      .record({
        groups: arbitraryShape(0, 2, 2),
        sides: fc.tuple(...Array.from({ length: 3 }, () => fc.integer({ min: 1, max: 3 }))),
        vectors: fc.constantFrom("none", "none", "none", "left", "right", "both"),
        hasBias: fc.boolean(),
        constAt: fc.constantFrom(-1, 0, 1, 1),
      })
      .chain(({ groups, sides: [m, k, n], vectors, hasBias, constAt }) =>
        fc.tuple(arbitraryBroadcast(groups), arbitraryBroadcast(groups)).map(([ga, gb]) => {
          const isLeft = vectors === "left" || vectors === "both";
          const isRight = vectors === "right" || vectors === "both";
          const shapes = [isLeft ? [k] : [...ga, m, k], isRight ? [k] : [...gb, k, n]];
          // Two vectors make a scalar, which ONNX would give the rank of the bias.
          const hasColumn = hasBias && vectors !== "both";
          const bias = hasColumn ? [constant([isRight ? 1 : n])] : [];
          return {
            args: [...shapes.map((shape, i) => ({ shape, isConst: i === constAt })), ...bias],
            attrs: {},
          };
        }),
      ),
    onnx: ({ args }) => ({
      nodes: [
        { opType: "MatMul", inputs: ["x0", "x1"] },
        ...(args.length > 2 ? [{ opType: "Add", inputs: ["previous", "x2"] }] : []),
      ],
    }),
    // The bias has no finer point than the products.
    formats: ({ args }, { maxWidth }) =>
      fc
        .record({
          a: arbitraryFormat({ maxWidth }),
          b: arbitraryFormat({ maxWidth }),
          c: arbitraryFormat({ maxWidth, minFrac: 0, maxFrac: 5 }),
        })
        .map(({ a, b, c }) =>
          [a, b, { ...c, frac: a.frac + b.frac - c.frac }].slice(0, args.length),
        ),
  },
  max: { application: binary, onnx: sameNode("Max") },
  max_pool: {
    application: arbitraryPool("max_pool"),
    onnx: ({ attrs }) => {
      const rank = (attrs["kernel"] as number[]).length;
      return {
        nodes: [
          { opType: "Transpose", inputs: ["x0"], attrs: { perm: channelsFirst(rank) } },
          { opType: "MaxPool", inputs: ["previous"], attrs: windowTwin(attrs) },
          { opType: "Transpose", inputs: ["previous"], attrs: { perm: channelsLast(rank) } },
        ],
      };
    },
    looseBecause: "one interval stands for all positions of a channel",
  },
  min: { application: binary, onnx: sameNode("Min") },
  mish: near(functionTable("Mish"), 1e-2),
  mul: { application: binary, onnx: sameNode("Mul") },
  pad: {
    application: arbitraryShape(1).chain((shape) =>
      fc.record({
        args: fc.constant([variable(shape)]),
        attrs: fc.record({
          pads: fc.array(fc.nat({ max: 2 }), {
            minLength: 2 * shape.length,
            maxLength: 2 * shape.length,
          }),
          value: fc.constantFrom(0, 0, 0.5, -3),
        }),
      }),
    ),
    onnx: ({ attrs: { pads, value } }) => ({
      nodes: [{ opType: "Pad", inputs: ["x0", "pads", "value"] }],
      constants: {
        pads: { dims: [(pads as number[]).length], int: pads as number[] },
        value: { dims: [], float: [value as number] },
      },
    }),
    // A fill that the argument's binary point can express, so that it is not rounded.
    quantAttrs: ({ pads }, [{ frac }]) =>
      fc.integer({ min: -99, max: 99 }).map((code) => ({
        pads: pads as number[],
        value: code * 2 ** -frac,
      })),
  },
  power: attributed("exponent", [3, -2, 0.25, 1.5], ({ attrs: { exponent } }) => ({
    nodes: [{ opType: "Pow", inputs: ["x0", "exponent"] }],
    constants: { exponent: { dims: [], float: [exponent as number] } },
  })),
  multi_threshold: {
    application: arbitraryShape(1).chain((shape) =>
      fc
        .record({
          axis: fc.nat({ max: shape.length - 1 }),
          isPerChannel: fc.boolean(),
          count: fc.integer({ min: 1, max: 12 }),
        })
        .chain(({ axis, isPerChannel, count }) => {
          const channels = isPerChannel ? shape[axis] : 1;
          const length = channels * count;
          return fc
            .array(arbitraryReal, { minLength: length, maxLength: length })
            .map((thresholds) => ({
              args: [variable(shape)],
              attrs: { axis, channels, thresholds },
            }));
        }),
    ),
    onnx: null,
  },
  code_table: {
    application: unary(
      fc.record({
        lo: fc.integer({ min: -40, max: 20 }),
        values: fc.array(fc.integer({ min: -300, max: 300 }), { minLength: 1, maxLength: 80 }),
      }),
    ).map(({ args, attrs }) => ({
      args: args.map((arg) => ({ ...arg, real: fc.integer({ min: -60, max: 100 }) })),
      attrs,
    })),
    onnx: null,
    formats: () => fc.tuple(arbitraryFormat({ maxWidth: 9, maxFrac: 0 })),
    looseBecause: "one interval stands for all elements of a table's result",
  },
  quotient: {
    application: arbitraryShape(1).chain((shape) =>
      fc
        .record({
          divisor: fc.oneof(fc.constant(shape), arbitraryBroadcast(shape)),
          bits: fc.integer({ min: 1, max: 9 }),
        })
        .map(({ divisor, bits }) => ({
          // The quotient is 2^bits - 1 at most.
          args: [
            { ...variable(shape), real: fc.integer({ min: 0, max: 4 * (2 ** bits - 1) }) },
            { ...variable(divisor), real: fc.integer({ min: 4, max: 90 }) },
          ],
          attrs: { bits },
        })),
    ),
    onnx: null,
  },
  prelu: {
    application: arbitraryShape(1).chain((shape) =>
      fc
        .oneof(fc.constant<Shape>([]), arbitraryBroadcast(shape))
        .map((slope) => ({ args: [variable(shape), constant(slope)], attrs: {} })),
    ),
    onnx: sameNode("PRelu"),
  },
  quantize: {
    application: arbitraryShape(1).chain((shape) =>
      fc
        .record({
          axis: fc.nat({ max: shape.length - 1 }),
          isPerChannel: fc.boolean(),
          ends: fc.constantFrom(
            [-8, 7],
            [-7, 7],
            [0, 15],
            [-128, 127],
            [0, 255],
            [-3, 200],
            [-1, 1],
          ),
          rounding: fc.constantFrom(...stepRoundings),
          arithmetic: fc.constantFrom("exact", "float32"),
        })
        .chain(({ axis, isPerChannel, ends, rounding, arithmetic }) => {
          const count = isPerChannel ? shape[axis] : 1;
          const list = (of: fc.Arbitrary<number>) =>
            fc.oneof(
              fc.array(of, { minLength: count, maxLength: count }),
              of.map((one) => [one]),
            );
          return fc.record({
            axis: fc.constant(axis),
            mul: list(fc.oneof(fc.constantFrom(1, 1, 0.25, 0), arbitraryReal)),
            add: list(fc.oneof(fc.constant(0), arbitraryReal)),
            div: list(fc.constantFrom(1, 0.5, 2, 4, 3, 0.375, 10)),
            zero_point: list(fc.constantFrom(0, 0, 1, -3)),
            lo: fc.constant(ends[0]),
            hi: fc.constant(ends[1]),
            rounding: fc.constant(rounding),
            arithmetic: fc.constant(arithmetic),
          });
        })
        .map((attrs) => ({ args: [variable(shape)], attrs })),
    ),
    onnx: quantizeTwin,
  },
  reciprocal: table(
    () => ({ nodes: [{ opType: "Reciprocal", inputs: ["x0"] }] }),
    fc.constant({ min: -Infinity, max: Infinity }),
    nonZero,
  ),
  reduce_max: {
    application: reduction,
    onnx: ({ attrs: { axis, keepdims } }) => reduceTwin("ReduceMax", axis, keepdims),
  },
  reduce_min: {
    application: reduction,
    onnx: ({ attrs: { axis, keepdims } }) => reduceTwin("ReduceMin", axis, keepdims),
  },
  reduce_sum: {
    application: reduction,
    onnx: ({ attrs: { axis, keepdims } }) => reduceTwin("ReduceSum", axis, keepdims),
  },
  relu: { application: unary(), onnx: sameNode("Relu") },
  requantize: {
    application: unary(arbitraryPrecision().map(precisionAttrs)),
    onnx: null,
    quantAttrs: withPrecision,
  },
  reshape: {
    application: arbitraryShape()
      .chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.constantFrom<Shape>(
            [sizeOf(shape)],
            shape.toReversed(),
            [1, ...shape],
            [...shape, 1],
            shape.length > 1 ? [shape[0], sizeOf(shape.slice(1))] : shape,
          ),
        ),
      )
      .map(([from, shape]) => ({ args: [variable(from)], attrs: { shape } })),
    onnx: ({ attrs: { shape } }) => ({
      nodes: [{ opType: "Reshape", inputs: ["x0", "shape"] }],
      constants: { shape: { dims: [(shape as number[]).length], int: shape as number[] } },
    }),
  },
  round: { application: unary(), onnx: sameNode("Round") },
  rsqrt: table(
    () => ({
      nodes: [
        { opType: "Sqrt", inputs: ["x0"] },
        { opType: "Reciprocal", inputs: ["previous"] },
      ],
    }),
    undefined,
    notNegative,
  ),
  // ONNX Runtime's own approximation is off by 4e-8 far below zero.
  sigmoid: { ...table(sameNode("Sigmoid")), floorOfError: 1e-2 },
  sign: { application: unary(), onnx: sameNode("Sign") },
  sin: near(functionTable("Sin"), 1e-1),
  sinh: near(functionTable("Sinh"), 1e-2),
  slice: {
    application: arbitraryShape(1, 3, 5).chain((shape) =>
      fc
        .tuple(
          ...shape.map((extent) =>
            fc
              .tuple(
                fc.nat({ max: extent - 1 }),
                fc.nat({ max: extent - 1 }),
                fc.constantFrom(1, 2),
              )
              .map(([first, last, stride]) => {
                const step = last < first ? -stride : stride;
                return { first, step, count: Math.floor(Math.abs(last - first) / stride) + 1 };
              }),
          ),
        )
        .map((axes) => ({
          args: [variable(shape)],
          attrs: {
            starts: axes.map(({ first }) => first),
            steps: axes.map(({ step }) => step),
            counts: axes.map(({ count }) => count),
          },
        })),
    ),
    onnx: ({ args, attrs }) => {
      const { starts, steps, counts } = attrs as Record<string, readonly number[]>;
      const ends = starts.map((start, axis) => {
        const end = start + counts[axis] * steps[axis];
        return end < 0 ? -args[0].shape[axis] - 1 : end;
      });
      const list = (int: readonly number[]) => ({ dims: [int.length], int });
      return {
        nodes: [{ opType: "Slice", inputs: ["x0", "starts", "ends", "axes", "steps"] }],
        constants: {
          starts: list(starts),
          ends: list(ends),
          axes: list(starts.map((_, axis) => axis)),
          steps: list(steps),
        },
      };
    },
  },
  softmax: {
    application: alongAxis((axis) => fc.constant({ axis })),
    onnx: sameNode("Softmax"),
  },
  softplus: near(functionTable("Softplus"), 1e-2),
  softsign: functionTable("Softsign"),
  sqrt: steep(functionTable("Sqrt", notNegative)),
  square: {
    application: unary(),
    onnx: () => ({ nodes: [{ opType: "Mul", inputs: ["x0", "x0"] }] }),
  },
  state: {
    looseBecause:
      "all codes of its format count as possible, so that all steps of a loop are alike",
    application: arbitraryShape(1, 3, 5).map((shape) => ({
      args: [variable(shape)],
      attrs: { loop: "cell", step: 0, port: 0 },
    })),
    onnx: null,
  },
  sub: { application: binary, onnx: sameNode("Sub") },
  sum_pool: {
    application: arbitraryPool("sum_pool"),
    onnx: ({ attrs }) => {
      const kernel = attrs["kernel"] as number[];
      return {
        nodes: [
          { opType: "Transpose", inputs: ["x0"], attrs: { perm: channelsFirst(kernel.length) } },
          {
            opType: "AveragePool",
            inputs: ["previous"],
            attrs: { ...windowTwin(attrs), count_include_pad: 1 },
          },
          { opType: "Mul", inputs: ["previous", "count"] },
          {
            opType: "Transpose",
            inputs: ["previous"],
            attrs: { perm: channelsLast(kernel.length) },
          },
        ],
        constants: { count: { dims: [], float: [sizeOf(kernel)] } },
      };
    },
    // Elements of either sign may cancel; ONNX Runtime rounds the average to float32.
    floorOfError: 8,
    looseBecause: "one interval stands for all positions of a channel, and for the padding",
  },
  swish: near(
    attributed("alpha", [1, 0.5, 2], ({ attrs: { alpha } }) => ({
      nodes: [
        { opType: "Mul", inputs: ["x0", "alpha"] },
        { opType: "Sigmoid", inputs: ["previous"] },
        { opType: "Mul", inputs: ["previous", "x0"] },
      ],
      constants: { alpha: { dims: [], float: [alpha as number] } },
    })),
    1e-1,
  ),
  take: {
    application: arbitraryShape().chain((shape) =>
      fc
        .array(fc.nat({ max: sizeOf(shape) - 1 }), { minLength: 1, maxLength: 6 })
        .map((indices) => ({
          args: [variable(shape)],
          attrs: { shape: [1, indices.length], indices },
        })),
    ),
    onnx: ({ attrs: { indices } }) => {
      const list = indices as number[];
      return {
        nodes: [
          { opType: "Reshape", inputs: ["x0", "flat"] },
          { opType: "Gather", inputs: ["previous", "indices"] },
        ],
        constants: {
          flat: { dims: [1], int: [-1] },
          indices: { dims: [1, list.length], int: list },
        },
      };
    },
  },
  tan: near(functionTable("Tan"), 1e-1),
  tanh: table(sameNode("Tanh")),
  transpose: {
    application: arbitraryShape().chain((shape) =>
      fc
        .shuffledSubarray(
          shape.map((_, axis) => axis),
          { minLength: shape.length },
        )
        .map((perm) => ({ args: [variable(shape)], attrs: { perm } })),
    ),
    onnx: sameNode("Transpose"),
  },
  trunc_div: {
    application: binary.map(({ args: [a, b], attrs }) => ({
      args: [a, { ...b, real: nonZero }],
      attrs,
    })),
    // Eighths and their quotients are exact in ONNX's floats, or far from the next integer.
    onnx: () => ({
      nodes: [
        { opType: "Div", inputs: ["x0", "x1"] },
        { opType: "Cast", inputs: ["previous"], attrs: { to: 7 } },
      ],
    }),
    formats: (_application, { maxWidth }) =>
      fc.tuple(
        arbitraryFormat({ maxWidth: Math.min(maxWidth, 14) }),
        arbitraryFormat({ maxWidth: Math.min(maxWidth, 14) }),
      ),
    looseBecause: "one interval stands for all elements, and for the quotients of zero",
  },
  truncate: {
    application: unary(),
    onnx: () => ({ nodes: [{ opType: "Cast", inputs: ["x0"], attrs: { to: 7 } }] }),
  },
};

function reduceTwin(opType: string, axis: AttrValue, keepdims: AttrValue): OnnxTwin {
  return {
    nodes: [{ opType, inputs: ["x0", "axes"], attrs: withoutBooleans({ keepdims }) }],
    constants: { axes: { dims: [1], int: [axis as number] } },
  };
}

/** The same in small steps: ONNX has no operator with all of this. */
function quantizeTwin({ args: [{ shape }], attrs }: Application): OnnxTwin {
  const behind = shape.slice((attrs["axis"] as number) + 1).map(() => 1);
  const list = (key: string) => {
    const float = attrs[key] as readonly number[];
    return { dims: [float.length, ...behind], float };
  };
  const after = (opType: string, ...more: string[]) => ({ opType, inputs: ["previous", ...more] });
  const signed = (...steps: { opType: string; inputs: string[] }[]) => [
    { opType: "Sign", inputs: ["t2"] },
    { opType: "Abs", inputs: ["t2"] },
    ...steps,
    { opType: "Mul", inputs: ["t3", "previous"] },
  ];
  const roundings: Record<StepRounding, { opType: string; inputs: string[] }[]> = {
    floor: [after("Floor")],
    ceil: [after("Ceil")],
    half_even: [after("Round")],
    half_up: [after("Add", "half"), after("Floor")],
    zero: signed(after("Floor")),
    away: signed(after("Ceil")),
    half_away: signed(after("Add", "half"), after("Floor")),
    half_zero: signed(after("Sub", "half"), after("Ceil")),
  };
  return {
    nodes: [
      { opType: "Mul", inputs: ["x0", "mul"] },
      after("Add", "add"),
      after("Div", "div"),
      ...roundings[attrs["rounding"] as StepRounding],
      after("Add", "zero_point"),
      after("Clip", "lo", "hi"),
      { opType: "Cast", inputs: ["previous"], attrs: { to: 7 } },
    ],
    constants: {
      mul: list("mul"),
      add: list("add"),
      div: list("div"),
      zero_point: list("zero_point"),
      half: { dims: [], float: [0.5] },
      lo: { dims: [], float: [attrs["lo"] as number] },
      hi: { dims: [], float: [attrs["hi"] as number] },
    },
  };
}
