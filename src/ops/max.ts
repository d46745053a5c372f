import { defineBinary } from "./family/binary.ts";

/**
 * The greater of x and y, element by element. The coarser binary point is brought to the finer one; the result is exact.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Max.html
 */
export const max = defineBinary({
  name: "max",
  summary: "The greater of x and y, element by element.",
  fn: "max",
  float: (a, b) => Math.max(a, b),
  fixed: (a, b) => (a > b ? a : b),
  interval: (a, b) => [a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1]],
  points: "align",
  narrow: false,
});
