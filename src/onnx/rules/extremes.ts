import { fail } from "../../base/index.ts";
import { normalizeAxis } from "../../ops/index.ts";
import { shapeText } from "../../tensor/index.ts";
import { axisOf, Formula } from "./formula.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";

function position(op: "ArgMax" | "ArgMin", ours: string): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      const attrs = {
        axis: node.int("axis", 0),
        keepdims: node.flag("keepdims", true),
        last: node.flag("select_last_index", false),
      };
      return context.apply(ours, [node.input(0)], attrs);
    },
  });
}

/** 0, 1, 2, ... along one axis of as many as `rank`. */
function counting(formula: Formula, length: number, axis: number, rank: number): Operand {
  const shape = Array.from({ length: rank }, (_, i) => (i === axis ? length : 1));
  return formula.constant(
    Float64Array.from({ length }, (_, i) => i),
    shape,
    "int",
  );
}

/**
 * The k greatest or least along an axis, in their order, with their positions: the extreme is found k times,
 * and put out of the running by one less than the least of all, so that equals come by their position.
 */
const topK = defineRule({
  op: "TopK",
  import: (node, context) => {
    const isLargest = node.flag("largest", true);
    const k = context.opset < 10 ? node.int("k") : node.integers(1, "k")[0];
    const x = node.input(0);
    const axis = axisOf(x, node.int("axis", -1));
    const length = x.shape[axis];
    if (!(k >= 1 && k <= length))
      fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} has no ${k} extremes along axis ${axis}`);
    const f = new Formula(context);
    const attrs = { axis, keepdims: true, last: false };
    const [reduce, find] = isLargest ? ["reduce_max", "argmax"] : ["reduce_min", "argmin"];
    const positions = counting(f, length, axis, x.shape.length);
    const values: Operand[] = [];
    const indices: Operand[] = [];
    let running = x;
    let loser: Operand | undefined;
    for (let i = 0; i < k; i++) {
      const index = f.apply(find, running, attrs);
      values.push(f.apply(reduce, running, attrs));
      indices.push(index);
      if (i === k - 1) break;
      loser ??= isLargest
        ? f.sub(f.apply("reduce_min", x, attrs), 1)
        : f.add(f.apply("reduce_max", x, attrs), 1);
      running = f.choose(f.equal(positions, index), loser, running);
    }
    return [f.concat(values, axis), f.concat(indices, axis)];
  },
});

/** One at the first of the greatest along an axis, zero elsewhere; before opset 13 of all axes from one on. */
const hardmax = defineRule({
  op: "Hardmax",
  import: (node, context) => {
    const f = new Formula(context);
    return onAxis(
      f,
      node.input(0),
      node.int("axis", context.opset < 13 ? 1 : -1),
      context.opset,
      (x, axis) => {
        const top = f.apply("argmax", x, { axis, keepdims: true, last: false });
        const isTop = f.equal(counting(f, x.shape[axis], axis, x.shape.length), top);
        return f.mul(isTop, f.constant([1], []));
      },
    );
  },
});

/** Applies a function along an axis, or as before opset 13 over all axes from that one on together. */
export function onAxis(
  formula: Formula,
  x: Operand,
  axis: number,
  opset: number,
  apply: (x: Operand, axis: number) => Operand,
): Operand {
  const rank = x.shape.length;
  const along = axis === rank ? axis : normalizeAxis(axis, rank);
  if (opset >= 13 || along === rank - 1)
    return apply(x, rank === 0 ? axisOf(x, axis) : normalizeAxis(axis, rank));
  const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const matrix = [product(x.shape.slice(0, along)), product(x.shape.slice(along))];
  return formula.reshape(apply(formula.reshape(x, matrix), 1), x.shape);
}

/** Depth and the two values are constants: each position is compared with what is given. */
const oneHot = defineRule({
  op: "OneHot",
  import: (node, context) => {
    const [depth] = node.integers(1, "the depth");
    const values = node.constant(2, "the pair of values");
    if (!(depth >= 1) || values.data.length !== 2)
      fail("N2F_OP_ATTRIBUTE", `a depth of ${depth} and ${values.data.length} values make no rows`);
    const given = node.input(0);
    const rank = given.shape.length + 1;
    const axis = normalizeAxis(node.int("axis", -1), rank);
    const f = new Formula(context);
    const column = f.reshape(given, given.shape.toSpliced(axis, 0, 1));
    const positions = counting(f, depth, axis, rank);
    const isHot = f.max(f.equal(positions, column), f.equal(positions, f.add(column, depth)));
    const [off, on] = values.data;
    const scaled = context.apply("mul", [isHot, f.constant([on - off], [], values.dtype)]);
    return context.apply("add", [scaled, f.constant([off], [], values.dtype)]);
  },
});

export const extremeRules: readonly Rule[] = [
  position("ArgMax", "argmax"),
  position("ArgMin", "argmin"),
  hardmax,
  oneHot,
  topK,
];
