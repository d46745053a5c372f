import { multiplyRatios, ratioOf } from "../fixed/index.ts";
import {
  type Attrs,
  type ConstValue,
  constantSide,
  factorIntegers,
  isExact,
  type OpValue,
  type RewriteContext,
  rewriteGraph,
  type Value,
  type ValueId,
  weightMatrices,
} from "../ir/index.ts";
import { makeTensor, sameShape, sizeOf } from "../tensor/index.ts";
import { absorbStep, readQuantize } from "./absorb.ts";
import { definePass } from "./pass.ts";

/**
 * Moves the scales of a quantized model down, past everything that they can pass, until a `quantize` takes them
 * into its own numbers or the network ends. What they leave behind computes with integers.
 *
 *     "x" = mul("q", "s")                "m" = matmul("q", "k")        with "w" = "k" * t
 *     "m" = matmul("x", "w")             "y" = quantize("m") {mul=[s * t], ...}
 *     "y" = quantize("m") {...}
 */
export const sinkScales = definePass({
  name: "sink-scales",
  description: "Moves the scales of quantized models down into the next quantization.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, context) => new Sinker(context).step(value)),
});

/** Arguments that only move, or are added up: any factor passes. */
const linear = new Set([
  "reshape",
  "transpose",
  "slice",
  "gather",
  "take",
  "expand",
  "reduce_sum",
  "sum_pool",
  "identity",
]);
/** Those that keep the order of numbers: positive factors pass. */
const ordered = new Set(["relu", "prelu", "max_pool", "reduce_max", "reduce_min"]);
/** Element by element: factors of channels pass as well as one for all. */
const elementwise = new Set(["relu", "prelu", "identity"]);
const windows = new Set(["sum_pool", "max_pool"]);
/** All arguments have the same factor. */
const joint = new Set(["add", "sub", "max", "min", "concat"]);

interface Scaled {
  readonly inner: Value;
  readonly factor: ConstValue;
}

class Sinker {
  readonly #context: RewriteContext;

  constructor(context: RewriteContext) {
    this.#context = context;
  }

  step(value: OpValue): ValueId | undefined {
    return this.#moved(value.op, this.#context.args, value.attrs);
  }

  /** The operator with what its arguments could be freed of; nothing where that is nothing. */
  #moved(op: string, args: readonly ValueId[], attrs: Attrs): ValueId | undefined {
    if (op === "quantize") return this.#quantize(args[0], attrs);
    if (op === "clip") return this.#clip(args[0], attrs);
    const isLinear = linear.has(op) || (op === "pad" && attrs["value"] === 0);
    if (isLinear || ordered.has(op)) return this.#past(op, args, attrs);
    if (op === "argmax" || op === "argmin") return this.#position(op, args[0], attrs);
    if (op === "matmul" || op === "conv") return this.#product(op, args, attrs);
    if (op === "mul") return this.#elements(args);
    if (op === "square") return this.#squared(args[0]);
    if (joint.has(op)) return this.#joint(op, args, attrs) ?? this.#bias(op, args);
    return undefined;
  }

  /** Applies an operator whose arguments may be freed of yet more. */
  #apply(op: string, args: readonly ValueId[], attrs: Attrs = {}): ValueId {
    return this.#moved(op, args, attrs) ?? this.#context.build.op(op, args, attrs);
  }

  #value(id: ValueId): Value {
    return this.#context.build.value(id);
  }

  /**
   * A value that is another one times an exact constant, or integers (perhaps scaled) times any: the factor of a
   * mean of theirs is as good as a scale.
   */
  #scaled(id: ValueId): Scaled | undefined {
    const value = this.#value(id);
    if (value.kind !== "op" || value.op !== "mul") return undefined;
    const sides = constantSide(value.args.map((arg) => this.#value(arg)));
    if (sides === undefined) return undefined;
    const isInteger = sides.other.dtype === "int" || this.#scaled(sides.other.id) !== undefined;
    if (!isExact(sides.constant) && !isInteger) return undefined;
    if (!sameShape(sides.other.shape, value.shape) || value.dtype !== "float") return undefined;
    return { inner: sides.other, factor: sides.constant };
  }

  #times(id: ValueId, factor: ConstValue["data"]): ValueId {
    const { build } = this.#context;
    const before = this.#scaled(id);
    if (before !== undefined && sizeOf(before.factor.shape) === 1) {
      const [own] = before.factor.data.data;
      const data = factor.data.map((f) => f * own);
      if (data.every((product, i) => isProduct(product, own, factor.data[i]))) {
        return build.op("mul", [before.inner.id, build.exactConstant({ ...factor, data })]);
      }
    }
    return build.op("mul", [id, build.exactConstant(factor)]);
  }

  #past(op: string, args: readonly ValueId[], attrs: Attrs): ValueId | undefined {
    const scaled = this.#scaled(args[0]);
    if (scaled === undefined) return undefined;
    const { inner, factor } = scaled;
    const isOne = sizeOf(factor.shape) === 1;
    // Windows keep to their channel, which is the last axis.
    const isPerChannel = windows.has(op) && sizeOf(factor.shape) === factor.shape.at(-1);
    if (!isOne && !elementwise.has(op) && !isPerChannel) return undefined;
    if (ordered.has(op) && factor.data.data.some((f) => !(f > 0))) return undefined;
    const moved = this.#apply(op, [inner.id, ...args.slice(1)], attrs);
    return this.#times(moved, isOne ? scalar(factor.data.data[0]) : factor.data);
  }

  /** Where the greatest stands does not depend on a positive factor. */
  #position(op: string, arg: ValueId, attrs: Attrs): ValueId | undefined {
    const scaled = this.#scaled(arg);
    if (scaled === undefined || sizeOf(scaled.factor.shape) !== 1) return undefined;
    if (!(scaled.factor.data.data[0] > 0)) return undefined;
    return this.#apply(op, [scaled.inner.id], attrs);
  }

  #joint(op: string, args: readonly ValueId[], attrs: Attrs): ValueId | undefined {
    const all = args.map((arg) => this.#scaled(arg));
    const [first] = all;
    if (first === undefined) return undefined;
    const { data } = first.factor.data;
    const isSame = all.every(
      (scaled) =>
        scaled !== undefined &&
        sameShape(scaled.factor.shape, first.factor.shape) &&
        scaled.factor.data.data.every((f, i) => f === data[i]),
    );
    if (!isSame) return undefined;
    const isOne = sizeOf(first.factor.shape) === 1;
    if (!isOne && op === "concat") return undefined;
    if ((op === "max" || op === "min") && data.some((f) => !(f > 0))) return undefined;
    const inner = all.map((scaled) => (scaled as Scaled).inner);
    if (!isOne && inner.some((value) => !sameShape(value.shape, inner[0].shape))) return undefined;
    const moved = this.#apply(
      op,
      inner.map(({ id }) => id),
      attrs,
    );
    return this.#times(moved, isOne ? scalar(data[0]) : first.factor.data);
  }

  /** A bias that is a whole multiple of the factor is added before it: x * s + n * s = (x + n) * s. */
  #bias(op: string, args: readonly ValueId[]): ValueId | undefined {
    if (op !== "add" && op !== "sub") return undefined;
    const sides = constantSide(args.map((arg) => this.#value(arg)));
    if (sides === undefined || !sides.isRight) return undefined;
    const { constant, other } = sides;
    const scaled = this.#scaled(other.id);
    if (scaled === undefined || scaled.inner.dtype !== "int") return undefined;
    if (sizeOf(scaled.factor.shape) !== 1 || constant.shape.length > other.shape.length)
      return undefined;
    const [factor] = scaled.factor.data.data;
    const whole = constant.data.data.map((number) => number / factor);
    const isWhole = whole.every((n, i) => {
      return Number.isInteger(n) && Math.abs(n) < 2 ** 31 && n * factor === constant.data.data[i];
    });
    if (!isWhole) return undefined;
    const { build } = this.#context;
    const added = build.constant(makeTensor(constant.shape, whole, "int"), constant.id);
    const moved = build.op(op, [scaled.inner.id, added]);
    return sameShape(build.value(moved).shape, other.shape)
      ? this.#times(moved, scalar(factor))
      : undefined;
  }

  /** Out of both sides of a product: one factor from the left, one or one for each column from weights. */
  #product(op: string, args: readonly ValueId[], attrs: Attrs): ValueId | undefined {
    const { build } = this.#context;
    const [x, w, bias] = args;
    const left = this.#scaled(x);
    if (left !== undefined && sizeOf(left.factor.shape) === 1) {
      const product = this.#apply(op, [left.inner.id, w], attrs);
      return this.#plus(this.#times(product, scalar(left.factor.data.data[0])), bias);
    }
    const right = this.#scaled(w);
    if (right !== undefined && sizeOf(right.factor.shape) === 1) {
      const product = this.#apply(op, [x, right.inner.id], attrs);
      return this.#plus(this.#times(product, scalar(right.factor.data.data[0])), bias);
    }
    const weights = this.#value(w);
    if (weights.kind !== "const" || !isExact(weights) || weights.dtype !== "float")
      return undefined;
    const { shape } = weights;
    const matrices = weightMatrices(op, shape);
    const width = shape.at(-1) ?? 1;
    const block = sizeOf(shape.slice(-2));
    const factored = factorIntegers(
      weights.data.data,
      matrices === undefined ? 1 : matrices.groups * matrices.columns,
      (i) => Math.floor(i / block) * width + (i % width),
    );
    if (factored === undefined) return undefined;
    const integers = build.constant(makeTensor(shape, factored.integers, "int"), w);
    const product = this.#apply(op, [x, integers], attrs);
    const { scale } = factored;
    const factor = scale.length === 1 ? scalar(scale[0]) : makeTensor([scale.length], scale);
    return this.#plus(this.#times(product, factor), bias);
  }

  /** Out of both sides of a product of two values that the network computes. */
  #elements(args: readonly ValueId[]): ValueId | undefined {
    if (args.some((arg) => this.#value(arg).kind === "const")) return undefined;
    for (const [i, arg] of args.entries()) {
      const scaled = this.#scaled(arg);
      if (scaled === undefined || sizeOf(scaled.factor.shape) !== 1) continue;
      const product = this.#apply("mul", args.with(i, scaled.inner.id));
      return this.#times(product, scalar(scaled.factor.data.data[0]));
    }
    return undefined;
  }

  #squared(arg: ValueId): ValueId | undefined {
    const scaled = this.#scaled(arg);
    if (scaled === undefined || sizeOf(scaled.factor.shape) !== 1) return undefined;
    const factor = scalar(scaled.factor.data.data[0]);
    return this.#times(this.#times(this.#apply("square", [scaled.inner.id]), factor), factor);
  }

  #plus(id: ValueId, bias: ValueId | undefined): ValueId {
    return bias === undefined ? id : this.#context.build.op("add", [id, bias]);
  }

  /** Bounds of a quantized value are its own; a factor of one (a cast) is passed. */
  #clip(arg: ValueId, attrs: Attrs): ValueId | undefined {
    const value = this.#value(arg);
    if (value.kind === "op" && value.op === "quantize") {
      const { lo, hi, ...numbers } = readQuantize(value.attrs);
      const [min, max] = [Math.ceil(attrs["min"] as number), Math.floor(attrs["max"] as number)];
      if (min > max || max < lo || min > hi) return undefined;
      const bounds = { lo: Math.max(lo, min), hi: Math.min(hi, max) };
      return this.#context.build.op("quantize", value.args, { ...numbers, ...bounds });
    }
    const scaled = this.#scaled(arg);
    if (scaled === undefined || scaled.factor.data.data.some((factor) => factor !== 1)) {
      return undefined;
    }
    return this.#times(this.#apply("clip", [scaled.inner.id], attrs), scaled.factor.data);
  }

  /** Takes what stands before it into its numbers; goes before what only moves elements. */
  #quantize(arg: ValueId, attrs: Attrs): ValueId | undefined {
    const { build } = this.#context;
    let numbers = readQuantize(attrs);
    let x = arg;
    for (;;) {
      const absorbed = absorbStep(numbers, this.#value(x), (id) => this.#value(id));
      if (absorbed === undefined) break;
      ({ numbers, x } = absorbed);
    }
    const inner = this.#value(x);
    const isMove =
      inner.kind === "op" &&
      (inner.op === "reshape" || inner.op === "transpose") &&
      isOneForAll(numbers);
    if (isMove) {
      const quantized = this.#apply("quantize", [inner.args[0]], { ...numbers });
      return build.op(inner.op, [quantized], inner.attrs);
    }
    return x === arg ? undefined : build.op("quantize", [x], { ...numbers });
  }
}

function isOneForAll(numbers: ReturnType<typeof readQuantize>): boolean {
  return Object.values(numbers).every((list) => !Array.isArray(list) || list.length === 1);
}

/** Whether a product of doubles is what it should be, to the last digit. */
function isProduct(product: number, a: number, b: number): boolean {
  if (!Number.isFinite(product) || product === 0) return false;
  const [exact, rounded] = [multiplyRatios(ratioOf(a), ratioOf(b)), ratioOf(product)];
  return exact.num * rounded.den === rounded.num * exact.den;
}

function scalar(value: number) {
  return makeTensor([], [value]);
}
