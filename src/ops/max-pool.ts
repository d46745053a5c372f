import { definePool } from "./family/pool.ts";

/**
 * The greatest of each window of each channel, channels last; padding never wins. The import sees to it
 * that no window lies in the padding alone.
 *
 * @see https://onnx.ai/onnx/operators/onnx__MaxPool.html
 */
export const maxPool = definePool({
  name: "max_pool",
  summary: "The greatest of each window of each channel.",
  fn: "max",
  padReal: -Infinity,
  padCode: (lo) => lo,
  float: (a, b) => Math.max(a, b),
  fixed: (a, b) => (a > b ? a : b),
  interval: (each) => each,
});
