import { defineReduce } from "./family/reduce.ts";

/**
 * The position of the least along an axis: the first of equals, or the last where `last` is set.
 *
 * @see https://onnx.ai/onnx/operators/onnx__ArgMin.html
 */
export const argmin = defineReduce({
  name: "argmin",
  summary: "The position of the least along an axis.",
  fn: "argmin",
  dtype: "int",
  isIndex: true,
  float: (along, { last }) => {
    const top = along.reduce((a, b) => Math.min(a, b));
    return last ? along.lastIndexOf(top) : along.indexOf(top);
  },
  fixed: (along, { last }) => {
    const top = along.reduce((a, b) => (a < b ? a : b));
    return BigInt(last ? along.lastIndexOf(top) : along.indexOf(top));
  },
  interval: (along) => [0n, BigInt(along.length - 1)],
});
