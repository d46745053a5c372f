import type { Attrs } from "../../ir/index.ts";
import { normalizeAxis } from "../../ops/index.ts";
import { type DType, makeTensor, type Shape, sizeOf } from "../../tensor/index.ts";
import type { Operand } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/** The axis counted from the front. @throws N2F_OP_ATTRIBUTE where the value has no such axis */
export function axisOf({ shape }: Operand, axis: number): number {
  return normalizeAxis(shape.length === 0 ? Number.NaN : axis, shape.length);
}

/** A value, or a number that becomes a constant of the other side's type. */
export type Factor = Operand | number;

/** Our operators by short names, so that a rule reads like the formula it stands for. */
export class Formula {
  readonly #context: RuleContext;

  constructor(context: RuleContext) {
    this.#context = context;
  }

  /** The name of the node that is being imported. */
  get node(): string {
    return this.#context.node;
  }

  constant(
    data: Float64Array | readonly number[],
    shape: Shape = [data.length],
    dtype: DType = "float",
  ): Operand {
    return this.#context.constant(makeTensor(shape, data, dtype));
  }

  zeros(shape: Shape, dtype: DType = "float"): Operand {
    return this.constant(new Float64Array(sizeOf(shape)), shape, dtype);
  }

  /** @throws N2F_ONNX_SHAPE for more numbers than a rule may list */
  checkListed(count: number): void {
    this.#context.checkListed(count);
  }

  apply(op: string, x: Operand, attrs: Attrs = {}): Operand {
    return this.#context.apply(op, [x], attrs);
  }

  add = (a: Factor, b: Factor): Operand => this.#binary("add", a, b);
  sub = (a: Factor, b: Factor): Operand => this.#binary("sub", a, b);
  mul = (a: Factor, b: Factor): Operand =>
    b === 1 && typeof a !== "number" ? a : this.#binary("mul", a, b);
  div = (a: Factor, b: Factor): Operand => this.#binary("div", a, b);
  max = (a: Factor, b: Factor): Operand => this.#binary("max", a, b);
  min = (a: Factor, b: Factor): Operand => this.#binary("min", a, b);
  matmul = (a: Operand, b: Operand): Operand => {
    const y = this.#binary("matmul", a, b);
    if (y.kind === "computed") this.#context.countMacs(sizeOf(y.shape) * (a.shape.at(-1) ?? 1));
    return y;
  };

  neg = (x: Operand): Operand => this.mul(x, -1);
  /** |x|: a slope of minus one below zero. */
  abs = (x: Operand): Operand => this.#binary("prelu", x, -1);

  /** Truth values of comparisons: 1 or 0 of type bool. */
  greater = (a: Factor, b: Factor): Operand =>
    this.apply("is_positive", b === 0 && typeof a !== "number" ? a : this.sub(a, b));
  not = (a: Operand): Operand => this.sub(1, a);
  equal = (a: Factor, b: Factor): Operand =>
    this.sub(this.not(this.greater(a, b)), this.greater(b, a));

  /** x where the condition is 1, else 0. */
  mask = (x: Factor, condition: Operand): Operand =>
    this.#context.apply("mask", [typeof x === "number" ? this.constant([x], []) : x, condition]);
  /** `a` where the condition is 1, else `b`. */
  choose = (condition: Operand, a: Factor, b: Factor): Operand =>
    this.add(this.mask(a, condition), this.mask(b, this.not(condition)));

  reshape = (x: Operand, shape: Shape): Operand =>
    x.shape.join() === shape.join() && x.shape.length === shape.length
      ? x
      : this.apply("reshape", x, { shape });
  transpose = (x: Operand, perm: readonly number[]): Operand =>
    perm.every((axis, i) => axis === i) ? x : this.apply("transpose", x, { perm });
  expand = (x: Operand, shape: Shape): Operand =>
    x.shape.join() === shape.join() && x.shape.length === shape.length
      ? x
      : this.apply("expand", x, { shape });
  concat = (parts: readonly Operand[], axis: number): Operand =>
    parts.length === 1 ? parts[0] : this.#context.apply("concat", parts, { axis });

  /** `count` positions from `start` along one axis. */
  slice(x: Operand, axis: number, start: number, count: number): Operand {
    axisOf(x, axis);
    if (start === 0 && count === x.shape[axis]) return x;
    return this.apply("slice", x, {
      starts: x.shape.map((_, i) => (i === axis ? start : 0)),
      steps: x.shape.map(() => 1),
      counts: x.shape.with(axis, count),
    });
  }

  /** The sum over some axes, which stay with extent one unless they are said to go. */
  sum(x: Operand, axes: readonly number[], keepdims = true): Operand {
    return this.reduce("reduce_sum", x, axes, keepdims);
  }

  mean(x: Operand, axes: readonly number[], keepdims = true): Operand {
    const count = axes.reduce((product, axis) => product * x.shape[axis], 1);
    return this.mul(this.sum(x, axes, keepdims), 1 / count);
  }

  /** A reduction over some axes, the last one first, so that the others keep their place. */
  reduce(op: string, x: Operand, axes: readonly number[], keepdims = true): Operand {
    return axes
      .toSorted((a, b) => b - a)
      .reduce((y, axis) => this.apply(op, y, { axis, keepdims, last: false }), x);
  }

  #binary(op: string, a: Factor, b: Factor): Operand {
    const dtype = typeof a !== "number" ? a.dtype : typeof b !== "number" ? b.dtype : "float";
    const operand = (x: Factor): Operand =>
      typeof x === "number" ? this.constant([x], [], dtype) : x;
    return this.#context.apply(op, [operand(a), operand(b)]);
  }
}
