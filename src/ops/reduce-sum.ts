import { defineReduce } from "./family/reduce.ts";

/**
 * The sum along an axis, exact.
 *
 * @see https://onnx.ai/onnx/operators/onnx__ReduceSum.html
 */
export const reduceSum = defineReduce({
  name: "reduce_sum",
  summary: "The sum along an axis.",
  fn: "sum",
  float: (along) => along.reduce((a, b) => a + b, 0),
  fixed: (along) => along.reduce((a, b) => a + b, 0n),
  interval: (along) => [
    along.reduce((sum, [lo]) => sum + lo, 0n),
    along.reduce((sum, [, hi]) => sum + hi, 0n),
  ],
});
