import { normalizeAxis } from "../../ops/index.ts";
import { Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";

/** Axes are an attribute up to some opset and a constant input from then on. */
export function readAxes(node: NodeView, fromInput: boolean): readonly number[] | undefined {
  return fromInput ? node.optionalIntegers(1, "the list of axes") : node.optionalInts("axes");
}

/** A reduction of x over axes, which stay with extent one. */
type Reduction = (formula: Formula, x: Operand, axes: readonly number[]) => Operand;

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
      const keepdims = node.int("keepdims", 1) !== 0;
      const isNoop = node.int("noop_with_empty_axes", 0) !== 0;
      const listed = readAxes(node, context.opset >= axesInputSince) ?? [];
      const x = node.input(0);
      const rank = x.shape.length;
      const formula = new Formula(context);
      const axes = axesOf(x, listed, isNoop);
      if (axes.length === 0) {
        const y = onNothing(formula, x, []);
        return y === x ? context.apply("identity", [x]) : y;
      }
      const y = reduce(formula, x, axes);
      const gone = new Set(keepdims ? [] : axes);
      const shape = x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
      return formula.reshape(
        y,
        Array.from({ length: rank }, (_, axis) => axis).flatMap((axis) =>
          gone.has(axis) ? [] : [shape[axis]],
        ),
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
const sumOf = (f: Formula, x: Operand, axes: readonly number[]) => f.sum(x, axes);
const squares: Reduction = (f, x, axes) => f.sum(f.apply("square", x), axes);

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
    while (rest.shape[axis] > 1) {
      const half = Math.floor(rest.shape[axis] / 2);
      const odd = rest.shape[axis] - 2 * half;
      const joined = f.mul(f.slice(rest, axis, 0, half), f.slice(rest, axis, half, half));
      rest = odd === 0 ? joined : f.concat([joined, f.slice(rest, axis, 2 * half, 1)], axis);
    }
    return rest;
  }, x);

export const reduceRules: readonly Rule[] = [
  reduction("ReduceSum", 13, sumOf, itself),
  reduction("ReduceMean", 18, (f, x, axes) => f.mean(x, axes), itself),
  reduction("ReduceMax", 18, (f, x, axes) => f.reduce("reduce_max", x, axes), itself),
  reduction("ReduceMin", 18, (f, x, axes) => f.reduce("reduce_min", x, axes), itself),
  reduction("ReduceProd", 18, product, itself),
  reduction(
    "ReduceL1",
    18,
    (f, x, axes) => f.sum(f.abs(x), axes),
    (f, x) => f.abs(x),
  ),
  reduction(
    "ReduceL2",
    18,
    (f, x, axes) => f.apply("sqrt", squares(f, x, axes)),
    (f, x) => f.abs(x),
  ),
  reduction("ReduceSumSquare", 18, squares, (f, x) => f.apply("square", x)),
  reduction(
    "ReduceLogSum",
    18,
    (f, x, axes) => f.apply("log", f.sum(x, axes)),
    (f, x) => f.apply("log", x),
  ),
  reduction("ReduceLogSumExp", 18, logSumExp, itself),
];
