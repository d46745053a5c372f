import { makeTensor } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { averagePoolOf, globalAveragePoolOf } from "./pool.ts";
import {
  checkScales,
  codeType,
  combinedFactor,
  dequantize,
  dequantizeLinear,
  endsOf,
  quantizeLinear,
  quantizeTo,
  quantizeWhole,
  readScaling,
  refuseChannelsLast,
  requantizeBy,
  type Scaling,
  subtractZero,
} from "./quantized.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/**
 * Operators of ONNX Runtime on quantized tensors. Each is what it would be between a DequantizeLinear and a
 * QuantizeLinear.
 *
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
const domain = "com.microsoft";

/** The real numbers of three inputs: codes, scale, zero point. */
function real(node: NodeView, context: RuleContext, at: number): Operand {
  const codes = node.input(at);
  return dequantize(context, codes, readScaling(node, [at + 1, at + 2], codes.shape));
}

/** The codes of a result whose scale and zero point are two inputs. */
function codes(node: NodeView, context: RuleContext, y: Operand, at: number): Operand {
  const ends = endsOf(codeType(node.optional(at + 1)));
  return quantizeTo(context, y, readScaling(node, [at, at + 1], y.shape), ends);
}

/** The scales of both arguments and of the result, and the ends of the result's type. */
function binaryScalings(node: NodeView) {
  const ends = endsOf(codeType(node.optional(7)));
  const [a, b, y] = [0, 3, 6].map((at): Scaling => {
    const [scale, zero] = at === 6 ? [6, 7] : [at + 1, at + 2];
    return readScaling(node, [scale, zero], []);
  });
  return { a, b, y, ends };
}

const add = defineRule({
  op: "QLinearAdd",
  domain,
  import: (node, context) => {
    const { a, b, y, ends } = binaryScalings(node);
    const sides = [dequantize(context, node.input(0), a), dequantize(context, node.input(3), b)];
    return quantizeWhole(context, context.apply("add", sides), y, ends);
  },
});

/** The product of two integers, times one float32 factor, plus the zero point, rounded. */
const mul = defineRule({
  op: "QLinearMul",
  domain,
  import: (node, context) => {
    const { a, b, y, ends } = binaryScalings(node);
    const sides = [
      subtractZero(context, node.input(0), a),
      subtractZero(context, node.input(3), b),
    ];
    return context.apply("quantize", [context.apply("mul", sides)], {
      axis: 0,
      mul: combinedFactor(a.scale, b.scale, y.scale),
      add: y.zeroPoint,
      div: [1],
      zero_point: [0],
      ...ends,
      rounding: "half_even",
      arithmetic: "float32",
    });
  },
});

const unary = (op: string, apply: (node: NodeView, context: RuleContext, x: Operand) => Operand) =>
  defineRule({
    op,
    domain,
    import: (node, context) =>
      codes(node, context, apply(node, context, real(node, context, 0)), 3),
  });

const leakyRelu = unary("QLinearLeakyRelu", (node, context, x) => {
  const slope = makeTensor([], [node.float("alpha", Math.fround(0.01))]);
  return context.apply("prelu", [x, context.exactConstant(slope, "slope")]);
});

/** Its kernel takes 1 / scale without the fraction: 254 for a scale of 1 / 255, which lies above it in float32. */
const softmax = defineRule({
  op: "QLinearSoftmax",
  domain,
  import: (node, context) => {
    const x = real(node, context, 0);
    const axis = node.int("axis", -1);
    const along = axis < 0 ? axis + x.shape.length : axis;
    if (node.int("opset", 13) < 13 && along !== x.shape.length - 1) {
      unsupported("it takes several axes together", "Export with opset 13 or later.");
    }
    const ends = endsOf(codeType(node.optional(4)));
    const { scale, zeroPoint } = readScaling(node, [3, 4], []);
    const factor = scale.map((s) => Math.floor(Math.fround(1 / s)));
    return context.apply("quantize", [context.apply("softmax", [x], { axis })], {
      axis: 0,
      mul: factor,
      add: [0],
      div: [1],
      zero_point: zeroPoint,
      ...ends,
      rounding: "half_even",
      arithmetic: "exact",
    });
  },
});

const averagePool = unary("QLinearAveragePool", (node, context, x) => {
  refuseChannelsLast(node);
  return averagePoolOf(node, context, () => x);
});

const globalAveragePool = unary("QLinearGlobalAveragePool", (node, context, x) => {
  refuseChannelsLast(node);
  return globalAveragePoolOf(node, context, x);
});

/** Each part is brought to the scale of the whole before they are joined. */
const concat = defineRule({
  op: "QLinearConcat",
  domain,
  import: (node, context) => {
    const axis = node.int("axis");
    const count = Math.floor((node.inputs().length - 2) / 3);
    if (count < 1) unsupported("it joins nothing", "Leave it out.");
    const parts = Array.from({ length: count }, (_, i) => {
      const part = real(node, context, 2 + 3 * i);
      return codes(node, context, part, 0);
    });
    return context.apply("concat", parts, { axis });
  },
});

/** Either of two, each brought to the scale of the result before. */
const where = defineRule({
  op: "QLinearWhere",
  domain,
  import: (node, context) => {
    const [x, y] = [1, 4].map((at) => codes(node, context, real(node, context, at), 7));
    return new Formula(context).choose(node.input(0), x, y);
  },
});

/** alpha * A * B + C with integers; the bias has the scale of the product. */
const gemm = defineRule({
  op: "QGemm",
  domain,
  import: (node, context) => {
    const alpha = node.float("alpha", 1);
    const [transA, transB] = [node.flag("transA", false), node.flag("transB", false)];
    const [a, b] = [node.input(0), node.input(3)];
    const scalings = [
      readScaling(node, [1, 2], a.shape, transA ? 1 : 0),
      readScaling(node, [4, 5], b.shape, transB ? 0 : 1),
    ] as const;
    const turned = (x: Operand, isTurned: boolean) =>
      isTurned ? context.apply("transpose", [x], { perm: [1, 0] }) : x;
    const sides = [
      turned(subtractZero(context, a, scalings[0]), transA),
      turned(subtractZero(context, b, scalings[1]), transB),
    ];
    const product = context.apply("matmul", sides);
    const bias = node.optional(6);
    const sums = bias === undefined ? product : context.apply("add", [product, bias]);
    if (scalings[0].scale.length > 1) {
      unsupported("each row has a scale of its own", "Quantize the left side per tensor.");
    }
    const left = scalings[0].scale.map((scale) => Math.fround(alpha * scale));
    if (node.optional(7) === undefined) {
      const scale = combinedFactor(left, scalings[1].scale, [1]);
      return dequantize(context, sums, { axis: 1, scale, zeroPoint: [0] });
    }
    const scaleY = Array.from(node.constant(7, "the scale").data);
    checkScales(scaleY);
    const ends = endsOf(codeType(node.optional(8)));
    const zero = Array.from(node.optionalConstant(8, "the zero point")?.data ?? [0]);
    const factor = combinedFactor(left, scalings[1].scale, scaleY);
    return requantizeBy(context, sums, factor, 1, zero, ends);
  },
});

export const microsoftRules: readonly Rule[] = [
  defineRule({ op: "QuantizeLinear", domain, import: quantizeLinear.import }),
  defineRule({ op: "DequantizeLinear", domain, import: dequantizeLinear.import }),
  add,
  mul,
  unary("QLinearSigmoid", (_node, context, x) => context.apply("sigmoid", [x])),
  leakyRelu,
  softmax,
  averagePool,
  globalAveragePool,
  concat,
  where,
  gemm,
];
