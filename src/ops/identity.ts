import { defineComposite } from "../ir/index.ts";

/**
 * x itself: what Identity, Dropout in evaluation and casts between float types come to.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Identity.html
 */
export const identity = defineComposite({
  name: "identity",
  summary: "x itself.",
  madeOf: [],
  type: ([{ shape, dtype }]) => ({ shape, dtype }),
  float: ([x]) => x,
  decompose: (_build, [x]) => x,
});
