import { defineBinary } from "./family/binary.ts";

/**
 * x * y, element by element. The binary points add up and the product is exact, so both sides are
 * narrowed to the working precision before.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Mul.html
 */
export const mul = defineBinary({
  name: "mul",
  summary: "x * y, element by element.",
  fn: "mul",
  float: (a, b) => a * b,
  fixed: (a, b) => a * b,
  interval: (a, b) => {
    const corners = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]];
    return [corners.reduce((x, y) => (x < y ? x : y)), corners.reduce((x, y) => (x > y ? x : y))];
  },
  points: "add",
  narrow: true,
});
