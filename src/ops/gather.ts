import { fail } from "../base/index.ts";
import { type Shape, shapeText } from "../tensor/index.ts";
import { normalizeAxis, splitAtAxis } from "./family/broadcast.ts";
import { defineGather } from "./family/gather.ts";

interface GatherAttrs {
  readonly axis: number;
  /** Positions along the axis, counted from zero; in any order, each as often as wanted. */
  readonly indices: readonly number[];
  readonly [key: string]: number | readonly number[];
}

const gathered = (x: Shape, { axis, indices }: GatherAttrs): Shape => {
  const along = normalizeAxis(axis, x.length);
  const extent = x[along] ?? 0;
  const outside = indices.find((i) => !Number.isInteger(i) || i < 0 || i >= extent);
  if (x.length === 0 || outside !== undefined) {
    fail("N2F_OP_ATTRIBUTE", `${shapeText(x)} has no position ${outside ?? 0} along axis ${axis}`);
  }
  return x.map((n, i) => (i === along ? indices.length : n));
};

/**
 * The elements at constant positions along an axis, in the order of the positions. The import counts
 * negative positions from the front and gives the result the shape that several axes of positions ask for.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Gather.html
 */
export const gather = defineGather<GatherAttrs>({
  name: "gather",
  summary: "The elements at constant positions along an axis.",
  shape: gathered,
  swapTranspose: (perm, { axis, indices }) => ({
    perm,
    attrs: { axis: perm[normalizeAxis(axis, perm.length)], indices },
  }),
  index: (x, { axis, indices }) => {
    const { outer, length, inner } = splitAtAxis(x, normalizeAxis(axis, x.length));
    const map = new Int32Array(outer * indices.length * inner);
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const position of indices) {
        const from = (o * length + position) * inner;
        for (let i = 0; i < inner; i++) map[at++] = from + i;
      }
    }
    return map;
  },
});
