import { fail } from "../../base/index.ts";
import { type StepRounding, stepRound } from "../../fixed/index.ts";
import { broadcastIndex, broadcastShapes } from "../../ops/index.ts";
import {
  makeTensor,
  type Shape,
  sameShape,
  shapeText,
  sizeOf,
  type Tensor,
} from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import { type ConstOperand, defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/** Where the operators of QONNX, Brevitas and FINN are found; old exports name no domain. */
const domains = [
  "onnx.brevitas",
  "qonnx.custom_op.general",
  "finn.custom_op.general",
  "finn",
  "",
] as const;

/** QONNX's words for rounding. @see https://github.com/fastmachinelearning/qonnx/tree/main/docs/qonnx-custom-ops */
const roundings: Readonly<Record<string, StepRounding>> = {
  ROUND: "half_even",
  HALF_EVEN: "half_even",
  CEIL: "ceil",
  FLOOR: "floor",
  UP: "away",
  DOWN: "zero",
  HALF_UP: "half_away",
  HALF_DOWN: "half_zero",
};

function readRounding(node: NodeView, otherwise: string): StepRounding {
  const word = node.string("rounding_mode", otherwise).toUpperCase();
  const rounding = roundings[word];
  if (rounding !== undefined) return rounding;
  return fail("N2F_OP_ATTRIBUTE", `the rounding mode ${word} is not known`, {
    hint: `Use one of ${Object.keys(roundings).join(", ")}.`,
  });
}

/** Parameters that differ along one axis at most, as lists. */
function alongAxis(
  tensors: readonly Tensor[],
  shape: Shape,
): { readonly axis: number; readonly lists: readonly (readonly number[])[] } {
  for (const { shape: given } of tensors) {
    if (sizeOf(given) === 0)
      fail("N2F_OP_ATTRIBUTE", `parameters of ${shapeText(given)} are empty`);
  }
  const own = broadcastShapes(...tensors.map((tensor) => tensor.shape));
  const behind = shape.length - own.length;
  const axes = own.flatMap((extent, i) => (extent > 1 ? [i + behind] : []));
  if (axes.length > 1) {
    unsupported(
      `its parameters ${shapeText(own)} differ along several axes`,
      "Quantize per tensor or per channel.",
    );
  }
  const [axis = 0] = axes;
  if (behind < 0 || (axes.length > 0 && shape[axis] !== sizeOf(own))) {
    fail("N2F_OP_ATTRIBUTE", `parameters of ${shapeText(own)} do not fit ${shapeText(shape)}`);
  }
  return { axis, lists: tensors.map(({ data }) => Array.from(data)) };
}

const behindAxis = (list: readonly number[], axis: number, shape: Shape): Shape =>
  list.length === 1 ? [] : [list.length, ...shape.slice(axis + 1).map(() => 1)];

/** (q - zeroPoint) * scale with lists along an axis. */
function rescale(
  context: RuleContext,
  q: Operand,
  axis: number,
  scale: readonly number[],
  zero: readonly number[],
): Operand {
  const place = (list: readonly number[]) => behindAxis(list, axis, q.shape);
  const isWhole = zero.every(Number.isInteger);
  const moved = zero.every((z) => z === 0)
    ? q
    : context.apply("sub", [
        q,
        isWhole
          ? context.constant(makeTensor(place(zero), zero, "int"), "zero_point")
          : context.exactConstant(makeTensor(place(zero), zero), "zero_point"),
      ]);
  const factor = context.exactConstant(makeTensor(place(scale), scale), "scale");
  return context.apply("mul", [moved, factor]);
}

/** The ends of the integers, rounded as the numbers that are cut to them: bit widths need not be whole. */
function integerEnds(bits: number, signed: boolean, narrow: boolean, rounding: StepRounding) {
  const lo = signed ? -(2 ** (bits - 1)) + (narrow ? 1 : 0) : 0;
  const hi = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - (narrow ? 2 : 1);
  return { lo: stepRound(lo, rounding) + 0, hi: stepRound(hi, rounding) + 0 };
}

/** Constants are rounded element by element, in float32 as their maker did; the result is exact. */
function quantizeConstant(
  context: RuleContext,
  x: ConstOperand,
  parameters: readonly Tensor[],
  one: (v: number, bits: number) => number,
): Operand {
  const shape = broadcastShapes(x.shape, ...parameters.map((parameter) => parameter.shape));
  if (!sameShape(shape, x.shape)) {
    fail("N2F_OP_ATTRIBUTE", `parameters do not fit ${shapeText(x.shape)}`);
  }
  const maps = parameters.map((parameter) => broadcastIndex(parameter.shape, shape));
  const data = x.data.data.map((value, i) => {
    const [scale, zero, bits] = parameters.map(({ data: own }, p) => own[maps[p]?.[i] ?? i]);
    const scaled = Math.fround(Math.fround(value / scale) + zero);
    return (one(scaled, bits) - zero) * scale + 0;
  });
  return context.exactConstant(makeTensor(shape, data), "quantized");
}

function importQuant(node: NodeView, context: RuleContext): Operand {
  const signed = node.flag("signed", true);
  const narrow = node.flag("narrow", false);
  const rounding = readRounding(node, "ROUND");
  const x = node.input(0);
  const scale = node.constant(1, "the scale");
  const zero = node.constant(2, "the zero point");
  const bits = node.constant(3, "the bit width");
  checkScale(scale);
  if (bits.data.length === 0) fail("N2F_OP_ATTRIBUTE", "the bit width has no number");
  const isBipolar = signed && bits.data.every((b) => b === 1);
  if (x.kind === "const") {
    return quantizeConstant(context, x, [scale, zero, bits], (v, width) => {
      if (signed && width === 1) return v >= 0 ? 1 : -1;
      const { lo, hi } = integerEnds(width, signed, narrow, rounding);
      return Math.max(lo, Math.min(hi, stepRound(v, rounding)));
    });
  }
  if (bits.data.some((b) => b !== bits.data[0])) {
    unsupported("its bit width differs among channels", "Give all channels the same bit width.");
  }
  const { axis, lists } = alongAxis([scale, zero], x.shape);
  const [scales, zeros] = lists;
  // v = (x + zero * scale) / scale: the zero point comes before the rounding.
  const add = Array.from({ length: Math.max(scales.length, zeros.length) }, (_, c) => {
    const at = (list: readonly number[]) => list[list.length === 1 ? 0 : c];
    return at(zeros) * at(scales);
  });
  const attrs = {
    axis,
    mul: [1],
    add: add.every((a) => a === 0) ? [0] : add,
    div: scales,
    zero_point: [0],
    arithmetic: "exact",
  };
  if (isBipolar) return rescale(context, signs(context, x, attrs), axis, scales, zeros);
  const { lo, hi } = integerEnds(bits.data[0], signed, narrow, rounding);
  const q = context.apply("quantize", [x], { ...attrs, lo, hi, rounding });
  return rescale(context, q, axis, scales, zeros);
}

/** 1 from zero up, else -1. */
function signs(
  context: RuleContext,
  x: Operand,
  attrs: Readonly<Record<string, number | string | readonly number[]>>,
): Operand {
  const q = context.apply("quantize", [x], { ...attrs, lo: -1, hi: 0, rounding: "floor" });
  const [two, one] = [2, 1].map((n) => context.constant(makeTensor([], [n], "int")));
  return context.apply("add", [context.apply("mul", [q, two]), one]);
}

function checkScale({ data, shape }: Tensor): void {
  if (data.length === 0) fail("N2F_OP_ATTRIBUTE", `the scale ${shapeText(shape)} has no numbers`);
  const wrong = data.find((s) => !(s > 0 && Number.isFinite(s)));
  if (wrong !== undefined) fail("N2F_OP_ATTRIBUTE", `the scale ${wrong} is not above zero`);
}

function importBipolar(node: NodeView, context: RuleContext): Operand {
  const x = node.input(0);
  const scale = node.constant(1, "the scale");
  checkScale(scale);
  if (x.kind === "const") {
    const zero = makeTensor([], [0]);
    return quantizeConstant(context, x, [scale, zero], (v) => (v >= 0 ? 1 : -1));
  }
  const { axis, lists } = alongAxis([scale], x.shape);
  const attrs = { axis, mul: [1], add: [0], div: [1], zero_point: [0], arithmetic: "exact" };
  return rescale(context, signs(context, x, attrs), axis, lists[0], [0]);
}

/**
 * Drops low bits of an integer. The first form has x, scale, zero point, bits before and after; the second has the
 * scale of the result before the bits after, and bounds; one between them had another zero point there, unused.
 */
function importTrunc(node: NodeView, context: RuleContext): Operand {
  const rounding = readRounding(node, "FLOOR");
  const x = node.input(0);
  const scale = node.constant(1, "the scale");
  const zero = node.constant(2, "the zero point");
  const before = node.constant(3, "the bit width before");
  const hasScale = node.optional(5) !== undefined;
  const last = node.optional(6) !== undefined ? 6 : hasScale ? 5 : 4;
  const after = node.constant(last, "the bit width after");
  checkScale(scale);
  const [scaleOut] = hasScale ? node.constant(4, "the scale of the result").data : [undefined];
  const [s, z] = [scale.data[0], zero.data[0]];
  if ([scale, zero, before, after].some(({ data }) => data.length !== 1)) {
    unsupported("its parameters differ among channels", "Give Trunc one scale and one bit width.");
  }
  const halvings =
    scaleOut === undefined ? before.data[0] - after.data[0] : Math.round(Math.log2(scaleOut / s));
  const step = 2 ** halvings;
  const signed = node.flag("signed", true);
  const narrow = node.flag("narrow", false);
  const word = { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
  const ends = scaleOut === undefined ? word : integerEnds(after.data[0], signed, narrow, rounding);
  const attrs = { axis: 0, mul: [1], zero_point: [0], arithmetic: "exact" };
  // What is truncated is an integer, or is made one.
  const whole = { ...attrs, ...word, add: [z * s], div: [s], rounding: "half_even" };
  const integers = context.apply("quantize", [x], whole);
  const q = context.apply("quantize", [integers], {
    ...attrs,
    ...ends,
    add: [0],
    div: [step],
    rounding,
  });
  return scaleOut === undefined
    ? rescale(context, q, 0, [s], [z])
    : rescale(context, q, 0, [scaleOut], [z / step]);
}

function importMultiThreshold(node: NodeView, context: RuleContext): Operand {
  const layout = node.string("data_layout", "NCHW");
  const scale = node.float("out_scale", 1);
  const bias = node.float("out_bias", 0);
  const x = node.input(0);
  const thresholds = node.constant(1, "the list of thresholds");
  const isLast = layout.length > 0 && layout.indexOf("C") === layout.length - 1;
  const axis = isLast || x.shape.length < 2 ? x.shape.length - 1 : 1;
  const wrong = thresholds.data.find((threshold) => !Number.isFinite(threshold));
  if (wrong !== undefined) fail("N2F_OP_ATTRIBUTE", `${wrong} is no threshold`);
  const [channels] = thresholds.shape;
  if (thresholds.shape.length !== 2 || channels === 0) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `thresholds of ${shapeText(thresholds.shape)} are no lists for channels`,
    );
  }
  const list = Array.from(thresholds.data);
  const count = context.apply("multi_threshold", [x], { axis, channels, thresholds: list });
  const scaled = scale === 1 ? count : rescale(context, count, 0, [scale], [0]);
  if (bias === 0) return scaled;
  const isWhole = Number.isInteger(bias) && scale === 1;
  const addend = isWhole
    ? context.constant(makeTensor([], [bias], "int"), "bias")
    : context.exactConstant(makeTensor([], [bias]), "bias");
  return context.apply("add", [scaled, addend]);
}

/** Ones that are equal in both: with bits a, w in {0, 1} that is 1 - w + a (2w - 1) for each. */
function importXnorPopcount(node: NodeView, context: RuleContext): Operand {
  const x = node.input(0);
  const w = node.constant(1, "the weights");
  const [rows, columns] = w.shape;
  if (w.shape.length !== 2 || x.shape.at(-1) !== rows || columns === 0) {
    fail("N2F_OP_ATTRIBUTE", `weights of ${shapeText(w.shape)} do not fit ${shapeText(x.shape)}`);
  }
  const signed = context.exactConstant(
    makeTensor(
      w.shape,
      w.data.map((bit) => 2 * bit - 1),
    ),
    "weights",
  );
  const zeros = new Float64Array(columns);
  w.data.forEach((bit, i) => {
    zeros[i % columns] += 1 - bit;
  });
  const product = context.apply("matmul", [x, signed]);
  if (product.kind === "computed") context.countMacs(sizeOf(product.shape) * rows);
  return context.apply("add", [
    product,
    context.exactConstant(makeTensor([columns], zeros), "zeros"),
  ]);
}

const everywhere = (op: string, importNode: Rule["import"]): Rule[] =>
  domains.map((domain) => defineRule({ op, domain, import: importNode }));

/** Operators of QONNX (Brevitas, FINN, hls4ml's quantized models). */
export const qonnxRules: readonly Rule[] = [
  ...everywhere("Quant", importQuant),
  ...everywhere("IntQuant", importQuant),
  ...everywhere("BipolarQuant", importBipolar),
  ...everywhere("Trunc", importTrunc),
  ...everywhere("MultiThreshold", importMultiThreshold),
  ...everywhere("XnorPopcountMatMul", importXnorPopcount),
];

const foreign: ReadonlySet<string> = new Set(qonnxRules.map(({ domain, op }) => `${domain}:${op}`));

/** Whether an operator is one of these, which ONNX Runtime does not know. */
export function isForeignOperator(domain: string, op: string): boolean {
  return foreign.has(`${domain}:${op}`);
}
