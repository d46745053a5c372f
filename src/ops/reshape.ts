import { fail } from "../base/index.ts";
import { shapeText, sizeOf } from "../tensor/index.ts";
import { defineGather } from "./family/gather.ts";

/**
 * The same elements in the same order, in another shape. The import works out -1 and 0.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Reshape.html
 */
export const reshape = defineGather<{ readonly shape: readonly number[] }>({
  name: "reshape",
  summary: "The same elements in another shape.",
  shape: (x, { shape }) => {
    if (sizeOf(x) !== sizeOf(shape)) {
      fail("N2F_OP_ATTRIBUTE", `${shapeText(x)} cannot take the shape ${shapeText(shape)}`);
    }
    return shape;
  },
  index: (x) => Int32Array.from({ length: sizeOf(x) }, (_, i) => i),
});
