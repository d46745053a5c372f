import { defineTable } from "./family/table.ts";

/**
 * 1 / (1 + exp(-x)). Within 2^-11 of its limits outside -8 .. 8.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Sigmoid.html
 */
export const sigmoid = defineTable({
  name: "sigmoid",
  summary: "1 / (1 + exp(-x)).",
  float: (x) => 1 / (1 + Math.exp(-x)),
  domain: () => [-8, 8],
});
