import { fail } from "../base/index.ts";
import { type Shape, shapeText, stridesOf } from "../tensor/index.ts";
import { indexMap } from "./family/broadcast.ts";
import { defineGather } from "./family/gather.ts";

interface TransposeAttrs {
  readonly perm: readonly number[];
  readonly [key: string]: readonly number[];
}

const permuted = (x: Shape, perm: readonly number[]): Shape => {
  const isPermutation =
    perm.length === x.length && perm.toSorted((a, b) => a - b).every((axis, i) => axis === i);
  if (!isPermutation) {
    fail("N2F_OP_ATTRIBUTE", `perm [${perm}] is no order of the axes of ${shapeText(x)}`);
  }
  return perm.map((axis) => x[axis]);
};

/**
 * Axis i of the result is axis perm[i] of x.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Transpose.html
 */
export const transpose = defineGather<TransposeAttrs>({
  name: "transpose",
  summary: "The axes in another order.",
  shape: (x, { perm }) => permuted(x, perm),
  index: (x, { perm }) => {
    const strides = stridesOf(x);
    return indexMap(permuted(x, perm), (axis) => strides[perm[axis]], 0);
  },
});
