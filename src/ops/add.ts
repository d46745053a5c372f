import { defineBinary } from "./family/binary.ts";

/**
 * x + y, element by element. The coarser binary point is brought to the finer one; the result is exact.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Add.html
 */
export const add = defineBinary({
  name: "add",
  summary: "x + y, element by element.",
  fn: "add",
  float: (a, b) => a + b,
  fixed: (a, b) => a + b,
  interval: (a, b) => [a[0] + b[0], a[1] + b[1]],
  points: "align",
  narrow: false,
});
