import { normalizeAxis } from "../../ops/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";

/** Axes are an attribute up to some opset and a constant input from then on. */
export function readAxes(node: NodeView, fromInput: boolean): readonly number[] | undefined {
  return fromInput ? node.optionalIntegers(1, "the list of axes") : node.optionalInts("axes");
}

/** A reduction of x over axes, which stay with extent one whether asked to or not if that is simpler. */
type Reduction = (f: Formula, x: Operand, axes: readonly number[], keepdims: boolean) => Operand;

/** A reduction over several axes is one over each, the last axis first. */
function reduction(
  op: string,
  axesInputSince: number,
  reduce: Reduction,
  onNothing: Reduction,
): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      const keepdims = node.flag("keepdims", true);
      const isNoop = node.flag("noop_with_empty_axes", false);
      const listed = readAxes(node, context.opset >= axesInputSince) ?? [];
      const x = node.input(0);
      const formula = new Formula(context);
      const axes = axesOf(x, listed, isNoop);
      if (axes.length === 0) {
        const y = onNothing(formula, x, [], keepdims);
        return y === x ? context.apply("identity", [x]) : y;
      }
      const y = reduce(formula, x, axes, keepdims);
      return formula.reshape(
        y,
        x.shape.flatMap((n, axis) => (axes.includes(axis) ? (keepdims ? [1] : []) : [n])),
      );
    },
  });
}

function axesOf(x: Operand, listed: readonly number[], isNoop: boolean): readonly number[] {
  const all = isNoop ? [] : x.shape.map((_, axis) => axis);
  const rank = x.shape.length;
  const axes = listed.length === 0 ? all : listed.map((axis) => normalizeAxis(axis, rank));
  return [...new Set(axes)].sort((a, b) => b - a);
}

const itself: Reduction = (_formula, x) => x;
const squares: Reduction = (f, x, axes, keepdims) => f.sum(f.apply("square", x), axes, keepdims);

const extreme =
  (op: string): Reduction =>
  (f, x, axes, keepdims) =>
    f.reduce(op, x, axes, keepdims);

/** With the greatest taken out, so that no exponential exceeds one. */
const logSumExp: Reduction = (f, x, axes) => {
  const top = f.reduce("reduce_max", x, axes);
  const sum = f.sum(f.apply("exp_neg", f.sub(top, x)), axes);
  return f.add(top, f.apply("log", sum));
};

/** Halves are multiplied until one element is left along each axis. */
const product: Reduction = (f, x, axes) =>
  axes.reduce((y, axis) => {
    let rest = y;
    if (rest.shape[axis] === 0) {
      const shape = rest.shape.with(axis, 1);
      return f.constant(new Float64Array(sizeOf(shape)).fill(1), shape, x.dtype);
    }
    while (rest.shape[axis] > 1) {
      const half = Math.floor(rest.shape[axis] / 2);
      const odd = rest.shape[axis] - 2 * half;
      const joined = f.mul(f.slice(rest, axis, 0, half), f.slice(rest, axis, half, half));
      rest = odd === 0 ? joined : f.concat([joined, f.slice(rest, axis, 2 * half, 1)], axis);
    }
    return rest;
  }, x);

export const reduceRules: readonly Rule[] = [
  reduction("ReduceSum", 13, (f, x, axes, keepdims) => f.sum(x, axes, keepdims), itself),
  reduction("ReduceMean", 18, (f, x, axes, keepdims) => f.mean(x, axes, keepdims), itself),
  reduction("ReduceMax", 18, extreme("reduce_max"), itself),
  reduction("ReduceMin", 18, extreme("reduce_min"), itself),
  reduction("ReduceProd", 18, product, itself),
  reduction(
    "ReduceL1",
    18,
    (f, x, axes, keepdims) => f.sum(f.abs(x), axes, keepdims),
    (f, x) => f.abs(x),
  ),
  reduction(
    "ReduceL2",
    18,
    (f, x, axes, keepdims) => f.apply("sqrt", squares(f, x, axes, keepdims)),
    (f, x) => f.abs(x),
  ),
  reduction("ReduceSumSquare", 18, squares, (f, x) => f.apply("square", x)),
  reduction(
    "ReduceLogSum",
    18,
    (f, x, axes, keepdims) => f.apply("log", f.sum(x, axes, keepdims)),
    (f, x) => f.apply("log", x),
  ),
  reduction("ReduceLogSumExp", 18, logSumExp, itself),
];
