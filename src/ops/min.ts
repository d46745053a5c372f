import { defineBinary } from "./family/binary.ts";

/**
 * The lesser of x and y, element by element. The coarser binary point is brought to the finer one; the result is exact.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Min.html
 */
export const min = defineBinary({
  name: "min",
  summary: "The lesser of x and y, element by element.",
  fn: "min",
  float: (a, b) => Math.min(a, b),
  fixed: (a, b) => (a < b ? a : b),
  interval: (a, b) => [a[0] < b[0] ? a[0] : b[0], a[1] < b[1] ? a[1] : b[1]],
  points: "align",
  narrow: false,
});
