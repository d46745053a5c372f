import { fail } from "../../base/index.ts";
import {
  dataTypeName,
  type ElementType,
  elementTypes,
  makeTensor,
  type Shape,
  shapeText,
  sizeOf,
  type Tensor,
} from "../../tensor/index.ts";
import { convolve } from "./conv.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/** The integers of a quantized type, both ends included. */
export interface Ends {
  readonly lo: number;
  readonly hi: number;
}

/** @throws N2F_OP_UNSUPPORTED for anything but integers of 4 to 16 bits */
export function endsOf(type: ElementType): Ends {
  const { dtype, bits, signed } = elementTypes[type];
  if (dtype !== "int" || bits > 16) {
    return unsupported(
      `it quantizes to ${type}`,
      "Quantize to int4, uint4, int8, uint8, int16 or uint16, which is what kernels compute with.",
    );
  }
  return signed
    ? { lo: -(2 ** (bits - 1)), hi: 2 ** (bits - 1) - 1 }
    : { lo: 0, hi: 2 ** bits - 1 };
}

/** The type of a zero point, which is that of the codes; uint8 where there is none. */
export function codeType(zeroPoint: Operand | undefined): ElementType {
  return zeroPoint?.elementType ?? "uint8";
}

/** Scales and zero points: one for all, or one for each position along an axis. */
export interface Scaling {
  readonly axis: number;
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
}

/**
 * Reads the scale and the zero point of a tensor.
 *
 * @param at positions of the two among the node's inputs
 * @param axis where the scale is a list
 */
export function readScaling(
  node: NodeView,
  at: readonly [scale: number, zeroPoint: number],
  shape: Shape,
  axis = 1,
): Scaling {
  const scale = node.constant(at[0], "the scale");
  const zeroPoint = node.optionalConstant(at[1], "the zero point");
  const count = sizeOf(scale.shape);
  const along = axis < 0 ? axis + shape.length : axis;
  if (count > 1 && (scale.shape.length !== 1 || shape[along] !== count)) {
    fail("N2F_OP_ATTRIBUTE", `${count} scales do not fit axis ${axis} of ${shapeText(shape)}`);
  }
  checkScales(scale.data);
  const zeros = Array.from(zeroPoint?.data ?? [0]);
  if (zeros.length !== 1 && zeros.length !== count) {
    fail("N2F_OP_ATTRIBUTE", `${zeros.length} zero points do not fit ${count} scales`);
  }
  const isUniform = zeros.every((zero) => zero === zeros[0]);
  return {
    axis: count > 1 ? along : 0,
    scale: Array.from(scale.data, Math.fround), // what was worked out here has more digits
    zeroPoint: isUniform ? [zeros[0]] : zeros,
  };
}

/** @throws N2F_OP_ATTRIBUTE for none, and for any that is not above zero */
export function checkScales(scales: ArrayLike<number>): void {
  if (scales.length === 0) fail("N2F_OP_ATTRIBUTE", "the scale has no number");
  const wrong = Array.from(scales).find((s) => !(s > 0 && Number.isFinite(s)));
  if (wrong !== undefined) fail("N2F_OP_ATTRIBUTE", `the scale ${wrong} is not above zero`);
}

/** A list along an axis as a tensor that broadcasts to the shape. */
function spread(
  list: readonly number[],
  axis: number,
  shape: Shape,
  dtype: "int" | "float",
): Tensor {
  const own = list.length === 1 ? [] : [list.length, ...shape.slice(axis + 1).map(() => 1)];
  return makeTensor(own, list, dtype);
}

/** (codes - zeroPoint) * scale, exact. */
export function dequantize(context: RuleContext, codes: Operand, scaling: Scaling): Operand {
  const { axis, scale } = scaling;
  const moved = subtractZero(context, codes, scaling);
  const factor = context.exactConstant(spread(scale, axis, codes.shape, "float"), "scale");
  return context.apply("mul", [moved, factor]);
}

/** codes - zeroPoint, still integers. */
export function subtractZero(
  context: RuleContext,
  codes: Operand,
  { axis, zeroPoint }: Pick<Scaling, "axis" | "zeroPoint">,
): Operand {
  if (zeroPoint.every((zero) => zero === 0)) return codes;
  const zero = context.constant(spread(zeroPoint, axis, codes.shape, "int"), "zero_point");
  return context.apply("sub", [codes, zero]);
}

/**
 * clamp(round(x / scale + zeroPoint)), ties to even: the operators of ONNX Runtime that compute with two values at
 * a time round the sum.
 */
export function quantizeWhole(
  context: RuleContext,
  x: Operand,
  { scale: [scale], zeroPoint: [zero] }: Scaling,
  { lo, hi }: Ends,
): Operand {
  return context.apply("quantize", [x], {
    axis: 0,
    mul: [1],
    add: [zero * scale],
    div: [scale],
    zero_point: [0],
    lo,
    hi,
    rounding: "half_even",
    arithmetic: "exact",
  });
}

/** clamp(round(x / scale) + zeroPoint), ties to even. Constants are rounded as their float32 numbers are. */
export function quantizeTo(
  context: RuleContext,
  x: Operand,
  { axis, scale, zeroPoint }: Scaling,
  { lo, hi }: Ends,
): Operand {
  return context.apply("quantize", [x], {
    axis,
    mul: [1],
    add: [0],
    div: scale,
    zero_point: zeroPoint,
    lo,
    hi,
    rounding: "half_even",
    arithmetic: x.kind === "const" ? "float32" : "exact",
  });
}

/**
 * Requantizes an integer as ONNX Runtime's integer kernels do: times one float32 factor.
 * @param factor one, or one for each position along the axis
 */
export function requantizeBy(
  context: RuleContext,
  x: Operand,
  factor: readonly number[],
  axis: number,
  zeroPoint: readonly number[],
  { lo, hi }: Ends,
): Operand {
  return context.apply("quantize", [x], {
    axis,
    mul: factor,
    add: [0],
    div: [1],
    zero_point: zeroPoint,
    lo,
    hi,
    rounding: "half_even",
    arithmetic: "float32",
  });
}

/**
 * A tensor whose scales belong to blocks along an axis, with each block in a row of its own, so that there is
 * a scale for each row; and the way back.
 */
function blocksAsRows(node: NodeView, context: RuleContext, x: Operand, axis: number) {
  const scale = node.constant(1, "the scale");
  const along = axis < 0 ? axis + x.shape.length : axis;
  const blocks = scale.shape[along];
  const size = x.shape[along] / blocks;
  const fits = x.shape.every((extent, i) => scale.shape[i] === (i === along ? blocks : extent));
  if (scale.shape.length !== x.shape.length || !fits || !Number.isInteger(size)) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `scales of ${shapeText(scale.shape)} are no blocks of ${shapeText(x.shape)} along axis ${axis}`,
    );
  }
  const [outer, inner] = [sizeOf(x.shape.slice(0, along)), sizeOf(x.shape.slice(along + 1))];
  const turn = { perm: [0, 1, 3, 2] };
  const apart = context.apply("reshape", [x], { shape: [outer, blocks, size, inner] });
  const turned = context.apply("transpose", [apart], turn);
  const rows = context.apply("reshape", [turned], { shape: [sizeOf(scale.shape), size] });
  const back = (y: Operand): Operand => {
    const again = context.apply("reshape", [y], { shape: [outer, blocks, inner, size] });
    const placed = context.apply("transpose", [again], turn);
    return context.apply("reshape", [placed], { shape: x.shape });
  };
  checkScales(scale.data);
  const scaling: Scaling = {
    axis: 0,
    scale: Array.from(scale.data),
    zeroPoint: Array.from(node.optionalConstant(2, "the zero point")?.data ?? [0]),
  };
  return { rows, scaling, back };
}

export const quantizeLinear = defineRule({
  op: "QuantizeLinear",
  import: (node, context) => {
    const isBlocked = node.int("block_size", 0) !== 0;
    const axis = node.int("axis", 1);
    const wanted = node.int("output_dtype", 0);
    const zero = node.optional(2);
    const type = wanted === 0 ? codeType(zero) : dataTypeName(wanted);
    const ends = endsOf(knownType(type));
    const x = node.input(0);
    if (isBlocked) {
      const { rows, scaling, back } = blocksAsRows(node, context, x, axis);
      return back(quantizeTo(context, rows, scaling, ends));
    }
    return quantizeTo(context, x, readScaling(node, [1, 2], x.shape, axis), ends);
  },
});

function knownType(type: string | undefined): ElementType {
  if (type !== undefined && type in elementTypes) return type as ElementType;
  return unsupported(
    `it quantizes to ${type ?? "a type that is not known"}`,
    "Quantize to integers: int4, uint4, int8, uint8, int16 or uint16.",
  );
}

export const dequantizeLinear = defineRule({
  op: "DequantizeLinear",
  import: (node, context) => {
    const isBlocked = node.int("block_size", 0) !== 0;
    const axis = node.int("axis", 1);
    const x = node.input(0);
    if (isBlocked) {
      const { rows, scaling, back } = blocksAsRows(node, context, x, axis);
      return back(dequantize(context, rows, scaling));
    }
    return dequantize(context, x, readScaling(node, [1, 2], x.shape, axis));
  },
});

/** The zero point of a matrix: one, one for each row of the left side, or for each column of the right. */
function matrixZero(node: NodeView, index: number, matrix: Operand, isLeft: boolean) {
  const zero = node.optionalConstant(index, "the zero point");
  const zeroPoint = Array.from(zero?.data ?? [0]);
  const axis = matrix.shape.length - (isLeft ? 2 : 1);
  if (zeroPoint.length === 0) fail("N2F_OP_ATTRIBUTE", "the zero point has no number");
  if (
    zeroPoint.length > 1 &&
    (zero?.shape.length !== 1 || matrix.shape[axis] !== zeroPoint.length)
  ) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `${zeroPoint.length} zero points do not fit ${shapeText(matrix.shape)}`,
    );
  }
  return { axis, zeroPoint };
}

/** The product of two integer matrices, each less its zero point. */
export function integerProduct(
  context: RuleContext,
  a: Operand,
  b: Operand,
  zeroA: Pick<Scaling, "axis" | "zeroPoint">,
  zeroB: Pick<Scaling, "axis" | "zeroPoint">,
): Operand {
  const sides = [subtractZero(context, a, zeroA), subtractZero(context, b, zeroB)];
  const product = context.apply("matmul", sides);
  if (product.kind === "computed") context.countMacs(sizeOf(product.shape) * (a.shape.at(-1) ?? 1));
  return product;
}

const matMulInteger = defineRule({
  op: "MatMulInteger",
  import: (node, context) => {
    const [a, b] = [node.input(0), node.input(1)];
    const zeros = [matrixZero(node, 2, a, true), matrixZero(node, 3, b, false)] as const;
    return integerProduct(context, a, b, ...zeros);
  },
});

/** scale_a * scale_b / scale_y as ONNX Runtime works it out, in float32. */
export function combinedFactor(
  a: readonly number[],
  b: readonly number[],
  y: readonly number[],
): number[] {
  const count = Math.max(a.length, b.length, y.length);
  const at = (list: readonly number[], i: number) => list[list.length === 1 ? 0 : i];
  return Array.from({ length: count }, (_, i) =>
    Math.fround(Math.fround(at(a, i) * at(b, i)) / at(y, i)),
  );
}

const qLinearMatMul = defineRule({
  op: "QLinearMatMul",
  import: (node, context) => {
    const ends = endsOf(codeType(node.optional(7)));
    const [a, b] = [node.input(0), node.input(3)];
    const [scaleA, scaleB, scaleY] = [1, 4, 6].map((index) =>
      Array.from(node.constant(index, "the scale").data),
    );
    for (const scales of [scaleA, scaleB, scaleY]) checkScales(scales);
    const zeros = [matrixZero(node, 2, a, true), matrixZero(node, 5, b, false)] as const;
    const product = integerProduct(context, a, b, ...zeros);
    const zeroY = Array.from(node.constant(7, "the zero point").data);
    if (scaleA.length > 1) {
      unsupported(
        "each row has a scale of its own",
        "Quantize the left side per tensor, and the right side per tensor or per column.",
      );
    }
    const factor = combinedFactor(scaleA, scaleB, scaleY);
    return requantizeBy(context, product, factor, product.shape.length - 1, zeroY, ends);
  },
});

/** One zero point, or one for each output channel of weights. */
function kernelZero(node: NodeView, index: number): Pick<Scaling, "axis" | "zeroPoint"> {
  const zero = node.optionalConstant(index, "the zero point");
  const zeroPoint = Array.from(zero?.data ?? [0]);
  if (zeroPoint.length === 0) fail("N2F_OP_ATTRIBUTE", "the zero point has no number");
  return { axis: 0, zeroPoint };
}

const convInteger = defineRule({
  op: "ConvInteger",
  import: (node, context) =>
    convolve(node, context, () => ({
      x: subtractZero(context, node.input(0), kernelZero(node, 2)),
      w: subtractZero(context, node.input(1), kernelZero(node, 3)),
      bias: undefined,
    })),
});

const importQLinearConv: Rule["import"] = (node, context) => {
  refuseChannelsLast(node);
  const ends = endsOf(codeType(node.optional(7)));
  const sums = convolve(node, context, () => ({
    x: subtractZero(context, node.input(0), kernelZero(node, 2)),
    w: subtractZero(context, node.input(3), kernelZero(node, 5)),
    bias: node.optional(8),
  }));
  const [x, w, y] = [1, 4, 6].map((index) => Array.from(node.constant(index, "the scale").data));
  for (const scales of [x, w, y]) checkScales(scales);
  const zero = Array.from(node.constant(7, "the zero point").data);
  return requantizeBy(context, sums, combinedFactor(x, w, y), 1, zero, ends);
};

/** @throws N2F_OP_UNSUPPORTED for ONNX Runtime's own layout */
export function refuseChannelsLast(node: NodeView): void {
  if (!node.flag("channels_last", false)) return;
  unsupported(
    "its channels come last (channels_last = 1), as ONNX Runtime's optimizer has it",
    "Use the model from before ONNX Runtime optimized it.",
  );
}

const qLinearConv = defineRule({ op: "QLinearConv", import: importQLinearConv });

export const quantizedRules: readonly Rule[] = [
  convInteger,
  dequantizeLinear,
  matMulInteger,
  qLinearConv,
  qLinearMatMul,
  quantizeLinear,
];
