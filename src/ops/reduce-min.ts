import { defineReduce } from "./family/reduce.ts";

const lesser = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/**
 * The least along an axis.
 *
 * @see https://onnx.ai/onnx/operators/onnx__ReduceMin.html
 */
export const reduceMin = defineReduce({
  name: "reduce_min",
  summary: "The least along an axis.",
  fn: "min",
  float: (along) => along.reduce((a, b) => Math.min(a, b), Infinity),
  fixed: (along) => along.reduce(lesser),
  interval: (along) => [
    along.map(([lo]) => lo).reduce(lesser),
    along.map(([, hi]) => hi).reduce(lesser),
  ],
});
