import { defineTable } from "./family/table.ts";

/**
 * The hyperbolic tangent. Within 2^-10 of its limits outside -4 .. 4.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Tanh.html
 */
export const tanh = defineTable({
  name: "tanh",
  summary: "The hyperbolic tangent.",
  float: Math.tanh,
  domain: () => [-4, 4],
});
