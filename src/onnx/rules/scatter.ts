import { fail } from "../../base/index.ts";
import { type Shape, shapeText, sizeOf, stridesOf, type Tensor } from "../../tensor/index.ts";
import { axisOf, Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/*
 * Gathers and scatters by constant lists of positions: all become elements that are taken by their number.
 */

/** The position of an element along each axis. */
const positionsOf = (index: number, shape: Shape): number[] =>
  stridesOf(shape).map((stride, axis) => Math.floor(index / stride) % shape[axis]);

const numberOf = (positions: readonly number[], shape: Shape): number => {
  const strides = stridesOf(shape);
  return positions.reduce((sum, position, axis) => {
    const counted = position < 0 ? position + shape[axis] : position;
    if (!(counted >= 0 && counted < shape[axis]))
      fail(
        "N2F_OP_ATTRIBUTE",
        `${shapeText(shape)} has no position ${position} along axis ${axis}`,
      );
    return sum + counted * strides[axis];
  }, 0);
};

/** For each of the indices, the number of the element of x that it names along the axis. */
function elementNumbers(x: Shape, indices: Tensor, axis: number): number[] {
  if (indices.shape.length !== x.length)
    fail(
      "N2F_OP_ATTRIBUTE",
      `indices of shape ${shapeText(indices.shape)} do not fit ${shapeText(x)}`,
    );
  return Array.from(indices.data, (position, i) =>
    numberOf(positionsOf(i, indices.shape).with(axis, position), x),
  );
}

const gatherElements = defineRule({
  op: "GatherElements",
  import: (node, context) => {
    const listed = node.int("axis", 0);
    const positions = node.constant(1, "the list of indices");
    const x = node.input(0);
    const axis = axisOf(x, listed);
    const indices = elementNumbers(x.shape, positions, axis);
    return context.apply("take", [x], { shape: positions.shape, indices });
  },
});

/** The first elements of the blocks that rows of positions name, behind so many axes of the batch. */
function blockStarts(
  x: Shape,
  rows: Tensor,
  batchAxes: number,
): { starts: number[]; block: Shape } {
  const depth = rows.shape.at(-1) ?? 0;
  const isBatch = rows.shape.slice(0, batchAxes).every((n, axis) => n === x[axis]);
  const fits = batchAxes >= 0 && batchAxes < rows.shape.length && isBatch;
  if (!fits || depth < 1 || batchAxes + depth > x.length)
    fail(
      "N2F_OP_ATTRIBUTE",
      `indices of shape ${shapeText(rows.shape)} do not fit ${shapeText(x)}`,
    );
  const block = x.slice(batchAxes + depth);
  const count = rows.data.length / depth;
  const perBatch = count / sizeOf(rows.shape.slice(0, batchAxes));
  const starts = Array.from({ length: count }, (_, row) => {
    const batch = positionsOf(Math.floor(row / perBatch), x.slice(0, batchAxes));
    const listed = Array.from(rows.data.subarray(row * depth, row * depth + depth));
    return numberOf([...batch, ...listed, ...block.map(() => 0)], x);
  });
  return { starts, block };
}

function blocks(context: RuleContext, starts: readonly number[], block: Shape): number[] {
  const size = sizeOf(block);
  context.checkListed(starts.length * size);
  return starts.flatMap((start) => Array.from({ length: size }, (_, i) => start + i));
}

const gatherNd = defineRule({
  op: "GatherND",
  import: (node, context) => {
    const rows = node.constant(1, "the list of indices");
    const x = node.input(0);
    const { starts, block } = blockStarts(x.shape, rows, node.int("batch_dims", 0));
    const shape = [...rows.shape.slice(0, -1), ...block];
    return context.apply("take", [x], { shape, indices: blocks(context, starts, block) });
  },
});

type Reduction = "none" | "add" | "mul" | "max" | "min";

/**
 * Updates come into x one layer after the other, so that elements which are named twice are reduced in
 * order; without a reduction the last one stays.
 */
function scatter(
  f: Formula,
  x: Operand,
  updates: Operand,
  targets: readonly number[],
  reduction: Reduction,
): Operand {
  const size = sizeOf(x.shape);
  f.checkListed(size);
  if (sizeOf(updates.shape) !== targets.length)
    fail(
      "N2F_OP_ATTRIBUTE",
      `${targets.length} places do not fit updates of shape ${shapeText(updates.shape)}`,
    );
  const layers: Map<number, number>[] = [];
  const seen = new Map<number, number>();
  targets.forEach((target, update) => {
    const layer = reduction === "none" ? 0 : (seen.get(target) ?? 0);
    seen.set(target, layer + 1);
    layers[layer] ??= new Map();
    layers[layer].set(target, update);
  });
  const flat = f.reshape(updates, [sizeOf(updates.shape)]);
  return layers.reduce((y, layer) => {
    const isSum = reduction === "add" || reduction === "mul";
    const rest = isSum
      ? f.constant([reduction === "mul" ? 1 : 0], [1], x.dtype)
      : f.reshape(y, [size]);
    const skip = sizeOf(rest.shape);
    const indices = Array.from({ length: size }, (_, i) => {
      const update = layer.get(i);
      return update === undefined ? (isSum ? 0 : i) : skip + update;
    });
    const next = f.apply("take", f.concat([rest, flat], 0), { shape: x.shape, indices });
    return reduction === "none" ? next : f[reduction](y, next);
  }, x);
}

function reductionOf(node: NodeView): Reduction {
  const name = node.string("reduction", "none");
  const known = (["none", "add", "mul", "max", "min"] as const).find((one) => one === name);
  return known ?? unsupported(`the reduction ${name}`, "Use none, add, mul, max or min.");
}

function scatterElements(op: string): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      const listed = node.int("axis", 0);
      const positions = node.constant(1, "the list of indices");
      const x = node.input(0);
      const targets = elementNumbers(x.shape, positions, axisOf(x, listed));
      return scatter(new Formula(context), x, node.input(2), targets, reductionOf(node));
    },
  });
}

const scatterNd = defineRule({
  op: "ScatterND",
  import: (node, context) => {
    const rows = node.constant(1, "the list of indices");
    const x = node.input(0);
    const { starts, block } = blockStarts(x.shape, rows, 0);
    const targets = blocks(context, starts, block);
    return scatter(new Formula(context), x, node.input(2), targets, reductionOf(node));
  },
});

export const scatterRules: readonly Rule[] = [
  gatherElements,
  gatherNd,
  scatterElements("Scatter"),
  scatterElements("ScatterElements"),
  scatterNd,
];
