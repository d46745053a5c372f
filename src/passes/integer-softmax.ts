import {
  type Attrs,
  type Builder,
  constantSide,
  type RewriteContext,
  rewriteGraph,
  type ValueId,
} from "../ir/index.ts";
import { makeTensor, sizeOf } from "../tensor/index.ts";
import { type QuantizeNumbers, readQuantize } from "./absorb.ts";
import { codeSpan } from "./code-cone.ts";
import { definePass } from "./pass.ts";

/**
 * A softmax between integers of a quantized model and the next quantization, by integers alone: a table of
 * exponentials of the distance from the greatest, their exact sum, and a division that rounds as the quantization
 * does. The exponentials have so many bits that they decide no integer, but one in a hundred thousand.
 *
 *     "x" = mul("q", "s")                "d" = sub(reduce_max("q"), "q")
 *     "p" = softmax("x")                 "e" = code_table("d") {values=[2^26 * exp(-s * d)]}
 *     "y" = quantize("p") {div=[c]}      "y" = quotient(mul("e", 1 / c), reduce_sum("e"))
 */
export const integerSoftmax = definePass({
  name: "integer-softmax",
  description: "Computes the softmax of quantized models with integers, rounded exactly.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, ({ op, attrs }, context) =>
      op === "quantize" ? softmaxOf(attrs, context) : undefined,
    ),
});

/** Bits of an exponential beyond those of the result. */
const spareBits = 18;
/** Bits of everything on the way: sums and remainders fit a word. */
const mostBits = 60;
/** Most codes that the distance may have. */
const mostCodes = 2 ** 16;

function softmaxOf(attrs: Attrs, context: RewriteContext): ValueId | undefined {
  const { build } = context;
  const numbers = readQuantize(attrs);
  const inverse = inverseScale(numbers);
  const { moves, source } = behindMoves(context.args[0], build);
  const softmax = build.value(source);
  if (inverse === undefined || softmax.kind !== "op" || softmax.op !== "softmax") return undefined;
  const scores = scaledCodes(softmax.args[0], build);
  if (scores === undefined) return undefined;
  const { codes, scale } = scores;
  build.from(softmax.origin);
  const { shape } = build.value(codes);
  const axis = softmax.attrs["axis"] as number;
  const count = shape.at(axis) ?? 1;
  const bits = Math.floor(inverse + 0.5).toString(2).length;
  const precision = Math.min(bits + spareBits, mostBits - bits - Math.ceil(Math.log2(count)));
  const span = codeSpan(build.value(codes), (id) => build.value(id));
  if (span === undefined || span.hi - span.lo >= mostCodes || precision < bits) return undefined;

  const reduce = { axis: axis < 0 ? axis + shape.length : axis, keepdims: true, last: false };
  const distance = build.op("sub", [build.op("reduce_max", [codes], reduce), codes]);
  // Beyond this all is zero.
  const last = Math.ceil((Math.log(2) * (precision + bits + 2)) / scale);
  const end = Math.min(last, span.hi - span.lo);
  const index = end < last ? distance : build.op("min", [distance, integer(build, end)]);
  const table = (factor: number) =>
    build.op("code_table", [index], {
      lo: 0,
      values: Array.from({ length: end + 1 }, (_, d) =>
        Math.round(factor * 2 ** precision * Math.exp(-d * scale)),
      ),
    });
  const power = table(1);
  const sum = build.op("reduce_sum", [power], reduce);
  const numerator = Number.isInteger(inverse)
    ? build.op("mul", [power, integer(build, inverse)])
    : table(inverse);
  const quotient = build.op("quotient", [numerator, sum], { bits });
  const code = toType(build, quotient, numbers);
  return moves.reduceRight((id, { op, attrs: own }) => build.op(op, [id], own), code);
}

/** The factor of a quantization that only scales, where it is at least one. */
function inverseScale({ mul, add, div, rounding }: QuantizeNumbers): number | undefined {
  if ([mul, add, div].some((list) => list.length !== 1) || rounding !== "half_even")
    return undefined;
  const inverse = mul[0] / div[0];
  return add[0] === 0 && inverse >= 1 && inverse <= 2 ** 16 ? inverse : undefined;
}

function integer(build: Builder, n: number): ValueId {
  return build.constant(makeTensor([], [n], "int"));
}

/** Plus the zero point, within the ends of the type, so that it has no more bits than that. */
function toType(
  build: Builder,
  quotient: ValueId,
  { zero_point: [zero], lo, hi }: QuantizeNumbers,
): ValueId {
  const moved = zero === 0 ? quotient : build.op("add", [quotient, integer(build, zero)]);
  return build.op("clip", [moved], { min: lo, max: hi });
}

interface Move {
  readonly op: string;
  readonly attrs: Attrs;
}

/** What stands before reshapes and transposes; the first of the list is the last to be applied. */
function behindMoves(id: ValueId, build: Builder): { moves: readonly Move[]; source: ValueId } {
  const moves: Move[] = [];
  let value = build.value(id);
  while (value.kind === "op" && (value.op === "reshape" || value.op === "transpose")) {
    moves.push({ op: value.op, attrs: value.attrs });
    value = build.value(value.args[0]);
  }
  return { moves, source: value.id };
}

/** Integers and the factor that makes real numbers of them, up to a constant that is added. */
function scaledCodes(
  id: ValueId,
  build: Builder,
): { readonly codes: ValueId; readonly scale: number } | undefined {
  const { moves, source } = behindMoves(id, build);
  const product = build.value(source);
  if (product.kind !== "op" || product.op !== "mul") return undefined;
  const sides = constantSide(product.args.map((arg) => build.value(arg)));
  if (sides === undefined || sizeOf(sides.constant.shape) !== 1) return undefined;
  const [scale] = sides.constant.data.data;
  const codes = withoutZero(sides.other.id, build);
  const value = build.value(codes);
  if (!(scale > 0) || value.dtype !== "int" || value.shape.length !== product.shape.length)
    return undefined;
  return {
    codes: moves.reduceRight((inner, { op, attrs }) => build.op(op, [inner], attrs), codes),
    scale,
  };
}

/** A zero point does not matter to a softmax. */
function withoutZero(id: ValueId, build: Builder): ValueId {
  const value = build.value(id);
  if (value.kind !== "op" || value.op !== "sub") return id;
  const sides = constantSide(value.args.map((arg) => build.value(arg)));
  const isZeroPoint = sides?.isRight === true && sizeOf(sides.constant.shape) === 1;
  return isZeroPoint ? sides.other.id : id;
}
