import { definePool } from "./family/pool.ts";

/**
 * The sum of each window of each channel, channels last; padding is zero. An average is the sum times a
 * constant, which the import writes behind it.
 *
 * @see https://onnx.ai/onnx/operators/onnx__AveragePool.html
 */
export const sumPool = definePool({
  name: "sum_pool",
  summary: "The sum of each window of each channel.",
  fn: "sum",
  padReal: 0,
  padCode: () => 0n,
  float: (a, b) => a + b,
  fixed: (a, b) => a + b,
  interval: ([lo, hi], count) => [lo * BigInt(count), hi * BigInt(count)],
});
