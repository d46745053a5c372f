import { fail } from "../base/index.ts";
import { type Shape, shapeText, stridesOf } from "../tensor/index.ts";
import { indexMap, unpermuted } from "./family/broadcast.ts";
import { defineGather } from "./family/gather.ts";

/** One number for each axis. */
interface SliceAttrs {
  readonly starts: readonly number[];
  /** Distance from one position to the next; negative to go backward. */
  readonly steps: readonly number[];
  /** How many positions are taken: the shape of the result. */
  readonly counts: readonly number[];
  readonly [key: string]: readonly number[];
}

const sliced = (x: Shape, { starts, steps, counts }: SliceAttrs): Shape => {
  const isInside = (position: number, axis: number) =>
    Number.isInteger(position) && position >= 0 && position < x[axis];
  const fits =
    [starts, steps, counts].every((list) => list.length === x.length) &&
    counts.every((count) => Number.isInteger(count) && count > 0) &&
    starts.every(isInside) &&
    starts.every((start, axis) => isInside(start + (counts[axis] - 1) * steps[axis], axis));
  if (!fits) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `${shapeText(x)} has no slice of ${shapeText(counts)} from [${starts}] in steps of [${steps}]`,
    );
  }
  return counts;
};

/**
 * Every so many-th element of a box within x. The import works out negative and missing bounds.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Slice.html
 */
export const slice = defineGather<SliceAttrs>({
  name: "slice",
  summary: "Elements at regular distances along each axis.",
  shape: sliced,
  swapTranspose: (perm, { starts, steps, counts }) => ({
    perm,
    attrs: {
      starts: unpermuted(starts, perm),
      steps: unpermuted(steps, perm),
      counts: unpermuted(counts, perm),
    },
  }),
  index: (x, attrs) => {
    const strides = stridesOf(x);
    const start = attrs.starts.reduce((sum, position, axis) => sum + position * strides[axis], 0);
    return indexMap(sliced(x, attrs), (axis) => attrs.steps[axis] * strides[axis], start);
  },
});
