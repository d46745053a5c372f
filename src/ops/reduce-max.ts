import { defineReduce } from "./family/reduce.ts";

const greater = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/**
 * The greatest along an axis.
 *
 * @see https://onnx.ai/onnx/operators/onnx__ReduceMax.html
 */
export const reduceMax = defineReduce({
  name: "reduce_max",
  summary: "The greatest along an axis.",
  fn: "max",
  float: (along) => along.reduce((a, b) => Math.max(a, b), -Infinity),
  fixed: (along) => along.reduce(greater),
  interval: (along) => [
    along.map(([lo]) => lo).reduce(greater),
    along.map(([, hi]) => hi).reduce(greater),
  ],
});
