import { defineComposite } from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";

/**
 * x / y, element by element: a product with 1 / y, which is a constant where y is one and a table
 * otherwise.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Div.html
 */
export const div = defineComposite({
  name: "div",
  summary: "x / y, element by element.",
  madeOf: ["reciprocal", "mul"],
  type: ([x, y]) => ({ shape: broadcastShapes(x.shape, y.shape), dtype: x.dtype }),
  float: ([x, y]) => {
    const shape = broadcastShapes(x.shape, y.shape);
    const [a, b] = [broadcastIndex(x.shape, shape), broadcastIndex(y.shape, shape)];
    const isInteger = x.dtype === "int";
    const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
      const quotient = x.data[a?.[i] ?? i] / y.data[b?.[i] ?? i];
      return isInteger ? Math.trunc(quotient) : quotient;
    });
    return { shape, dtype: x.dtype, data };
  },
  decompose: (build, [x, y]) => {
    const divisor = build.value(y);
    const inverse =
      divisor.kind === "const"
        ? build.constant({ ...divisor.data, data: divisor.data.data.map((value) => 1 / value) })
        : build.op("reciprocal", [y], { min: -Infinity, max: Infinity });
    return build.op("mul", [x, inverse]);
  },
});
