import { fail } from "../base/index.ts";
import { shapeText, sizeOf } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";
import { defineGather } from "./family/gather.ts";

/**
 * Any elements of x in any order, by their numbers in row-major order: what GatherElements, scatters and
 * choices by constants come to.
 */
export const take = defineGather<{
  readonly shape: readonly number[];
  readonly indices: readonly number[];
}>({
  name: "take",
  summary: "The elements of constant numbers, in row-major order.",
  shape: (x, { shape, indices }) => {
    const wrong = indices.find((i) => !Number.isInteger(i) || i < 0 || i >= sizeOf(x));
    if (wrong !== undefined) fail("N2F_OP_ATTRIBUTE", `${shapeText(x)} has no element ${wrong}`);
    if (indices.length !== sizeOf(shape)) {
      fail(
        "N2F_OP_ATTRIBUTE",
        `${indices.length} elements cannot take the shape ${shapeText(shape)}`,
      );
    }
    return shape;
  },
  index: (_x, { indices }) => Int32Array.from(indices),
});

/**
 * x repeated along axes of extent 1 and along new ones in front, by the rule of numpy.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Expand.html
 */
export const expand = defineGather<{ readonly shape: readonly number[] }>({
  name: "expand",
  summary: "x repeated along axes of extent 1.",
  shape: (x, { shape }) => {
    const target = broadcastShapes(x, shape);
    if (sizeOf(target) === sizeOf(shape) && target.length === shape.length) return target;
    return fail("N2F_OP_ATTRIBUTE", `${shapeText(x)} cannot be expanded to ${shapeText(shape)}`);
  },
  index: (x, { shape }) =>
    broadcastIndex(x, shape) ?? Int32Array.from({ length: sizeOf(x) }, (_, i) => i),
});
