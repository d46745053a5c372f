import { fail } from "../../base/index.ts";
import type { GatherKernel, KernelStep } from "../../ir/index.ts";
import { type Shape, shapeText, sizeOf, stridesOf } from "../../tensor/index.ts";
import { indexMap } from "./broadcast.ts";

/** How windows go over the spatial axes of a value `[N, ...spatial, C]`. One number for each such axis. */
export interface WindowAttrs {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Elements of padding: at the begin of each axis, then at the end of each. */
  readonly pads: readonly number[];
  readonly [key: string]: number | readonly number[];
}

/**
 * The shape `[N, ...spatial]` of the windows' places.
 * @throws N2F_OP_ATTRIBUTE for windows that do not fit
 */
export function windowPlaces(x: Shape, attrs: WindowAttrs): number[] {
  const { kernel, strides, dilations, pads } = attrs;
  const rank = kernel.length;
  const fits =
    x.length === rank + 2 &&
    rank > 0 &&
    strides.length === rank &&
    dilations.length === rank &&
    pads.length === 2 * rank &&
    [...kernel, ...strides, ...dilations].every((n) => Number.isInteger(n) && n > 0) &&
    pads.every((n) => Number.isInteger(n) && n >= 0);
  const places = kernel.map((extent, axis) => {
    const room = x[axis + 1] + pads[axis] + pads[axis + rank];
    return Math.floor((room - dilations[axis] * (extent - 1) - 1) / strides[axis]) + 1;
  });
  if (!fits || places.some((n) => !(n > 0))) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `windows of [${kernel}] in steps of [${strides}], with dilations [${dilations}] and pads [${pads}], do not fit ${shapeText(x)}`,
    );
  }
  return [x[0], ...places];
}

/** The shape with the padding. */
export function paddedShape(x: Shape, { kernel, pads }: WindowAttrs): number[] {
  const rank = kernel.length;
  return x.map((extent, axis) =>
    axis === 0 || axis > rank ? extent : extent + pads[axis - 1] + pads[axis - 1 + rank],
  );
}

/**
 * The elements of windows in a value of the padded shape: that of channel 0 at the first corner of each
 * place, and the distance from there of each position in a window.
 */
export function windowElements(
  padded: Shape,
  places: Shape,
  { kernel, strides, dilations }: WindowAttrs,
): { readonly starts: Int32Array; readonly steps: Int32Array } {
  const distance = stridesOf(padded);
  return {
    starts: indexMap(places, (axis) => distance[axis] * (axis === 0 ? 1 : strides[axis - 1]), 0),
    steps: indexMap(kernel, (axis) => distance[axis + 1] * dilations[axis], 0),
  };
}

/** For each element of a padded tensor the element of x that it is, or -1 in the padding. */
export function padIndex(x: Shape, begins: readonly number[], ends: readonly number[]): Int32Array {
  const shape = x.map((extent, axis) => extent + begins[axis] + ends[axis]);
  const map = new Int32Array(sizeOf(shape)).fill(-1);
  const strides = stridesOf(shape);
  const start = begins.reduce((sum, begin, axis) => sum + begin * strides[axis], 0);
  const inside = indexMap(x, (axis) => strides[axis], start);
  for (let i = 0; i < inside.length; i++) map[inside[i]] = i;
  return map;
}

/** The same for the pads of windows. */
export function windowPadIndex(x: Shape, { kernel, pads }: WindowAttrs): Int32Array {
  const rank = kernel.length;
  return padIndex(x, [0, ...pads.slice(0, rank), 0], [0, ...pads.slice(rank), 0]);
}

export function hasPads({ pads }: WindowAttrs): boolean {
  return pads.some((n) => n > 0);
}

/** The step that copies argument 0 into its padding; none where there is none. */
export function padSteps(
  x: Shape,
  attrs: WindowAttrs,
  fill: bigint,
  [lo, hi]: readonly [bigint, bigint],
): KernelStep[] {
  if (!hasPads(attrs)) return [];
  const kernel: GatherKernel = { kind: "gather", index: windowPadIndex(x, attrs), fill };
  const size = sizeOf(paddedShape(x, attrs));
  return [{ kernel, args: [0], size, lo: fill < lo ? fill : lo, hi: fill > hi ? fill : hi }];
}

/** x in its padding, over real numbers. */
export function padReals(
  data: Float64Array,
  x: Shape,
  attrs: WindowAttrs,
  fill: number,
): Float64Array {
  if (!hasPads(attrs)) return data;
  const index = windowPadIndex(x, attrs);
  const padded = new Float64Array(index.length);
  for (let i = 0; i < index.length; i++) padded[i] = index[i] < 0 ? fill : data[index[i]];
  return padded;
}

/** Codes in their padding. */
export function padCodes(
  codes: readonly bigint[],
  x: Shape,
  attrs: WindowAttrs,
  fill: bigint,
): readonly bigint[] {
  if (!hasPads(attrs)) return codes;
  return Array.from(windowPadIndex(x, attrs), (from) => (from < 0 ? fill : codes[from]));
}
