import { fail } from "../../base/index.ts";
import { type Shape, sameShape, shapeText, sizeOf, stridesOf } from "../../tensor/index.ts";

/**
 * The shape that several shapes have in common by the rule of numpy.
 * @throws N2F_OP_ATTRIBUTE where there is none
 */
export function broadcastShapes(...shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const skip = rank - shape.length;
    shape.forEach((extent, axis) => {
      const have = result[axis + skip];
      if (have !== extent && have !== 1 && extent !== 1) {
        fail(
          "N2F_OP_ATTRIBUTE",
          `shapes ${shapes.map(shapeText).join(" and ")} do not fit together`,
        );
      }
      if (have === 1) result[axis + skip] = extent;
    });
  }
  return result;
}

/**
 * For each element of `to`, the index of the element of `from` that stands for it. Absent where that is
 * the identity.
 */
export function broadcastIndex(from: Shape, to: Shape): Int32Array | undefined {
  if (sameShape(from, to)) return undefined;
  const skip = to.length - from.length;
  const strides = stridesOf(from).map((stride, axis) => (from[axis] === 1 ? 0 : stride));
  return indexMap(to, (axis) => (axis < skip ? 0 : strides[axis - skip]), 0);
}

/** For each element of `shape` in row-major order: start + sum of position * stride over the axes. */
export function indexMap(
  shape: Shape,
  stride: (axis: number) => number,
  start: number,
): Int32Array {
  if (sizeOf(shape) === 0) return new Int32Array();
  let map = Int32Array.of(start);
  for (let axis = 0; axis < shape.length; axis++) {
    const step = stride(axis);
    const extent = shape[axis];
    const next = new Int32Array(map.length * extent);
    for (let i = 0; i < map.length; i++) {
      for (let k = 0; k < extent; k++) next[i * extent + k] = map[i] + k * step;
    }
    map = next;
  }
  return map;
}

/** Whether an index map is 0, 1, 2, ... over exactly `size` elements. */
export function isIdentity(index: Int32Array, size: number): boolean {
  return index.length === size && index.every((from, i) => from === i);
}

/** The axis counted from the front. @throws N2F_OP_ATTRIBUTE where the shape has no such axis */
export function normalizeAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= Math.max(rank, 1)) {
    fail("N2F_OP_ATTRIBUTE", `axis ${axis} does not exist in a tensor of rank ${rank}`);
  }
  return positive;
}

/** Elements before, along and after an axis. */
export function splitAtAxis(
  shape: Shape,
  axis: number,
): { outer: number; length: number; inner: number } {
  return {
    outer: sizeOf(shape.slice(0, axis)),
    length: shape[axis] ?? 1,
    inner: sizeOf(shape.slice(axis + 1)),
  };
}

/** What each axis of x has, from what each axis of transpose(x, perm) has. */
export function unpermuted(list: readonly number[], perm: readonly number[]): number[] {
  const result = new Array<number>(perm.length);
  perm.forEach((axis, i) => {
    result[axis] = list[i];
  });
  return result;
}
