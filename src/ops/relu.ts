import { defineMonotone } from "./family/unary.ts";

/**
 * max(x, 0).
 *
 * @see https://onnx.ai/onnx/operators/onnx__Relu.html
 */
export const relu = defineMonotone({
  name: "relu",
  summary: "max(x, 0).",
  float: (x) => Math.max(x, 0),
  fixed: (x) => (x < 0n ? 0n : x),
  word: "clamp",
  kernel: (_x, _attrs, to) => {
    const hi = to.ranges.hull()[1];
    return { kind: "clamp", lo: 0n, hi };
  },
});
