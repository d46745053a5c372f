import { fail } from "../base/index.ts";
import type { NamedTensor } from "./named-tensor.ts";
import { type Shape, shapeText, sizeOf, type Tensor } from "./tensor.ts";

/** One input (or output) of a network, as data files are matched with it. */
export interface SampleSlot {
  readonly name: string;
  readonly shape: Shape;
}

/** Data for a number of inferences: for each slot all its numbers, inference after inference. */
export interface Samples {
  readonly count: number;
  readonly data: ReadonlyMap<string, Float64Array>;
}

/**
 * Matches arrays with the inputs of a network by name (or, one with one, without), and cuts them into
 * inferences: the leading axes count them.
 *
 * @throws N2F_DATA_SHAPE where an input has no array, or sizes do not fit
 */
export function matchSamples(
  arrays: readonly NamedTensor[],
  slots: readonly SampleSlot[],
  at: string,
): Samples {
  const data = new Map<string, Float64Array>();
  let count: number | undefined;
  for (const slot of slots) {
    const array =
      slots.length === 1 && arrays.length === 1
        ? arrays[0]
        : arrays.find((candidate) => candidate.name === slot.name);
    if (array === undefined) {
      const names = arrays.map(({ name }) => name || "(unnamed)").join(", ");
      fail("N2F_DATA_SHAPE", `there is no array for input ${slot.name}; the file has ${names}`, {
        at,
        hint: `Give an .npz file with an array for each of ${slots.map(({ name }) => name).join(", ")}.`,
      });
    }
    const rows = countSamples(array.tensor, slot, at);
    if (count !== undefined && rows !== count) {
      fail("N2F_DATA_SHAPE", `input ${slot.name} has ${rows} inferences and another has ${count}`, {
        at,
      });
    }
    count = rows;
    data.set(slot.name, array.tensor.data);
  }
  return { count: count ?? 0, data };
}

/** How many inferences an array holds: its last axes must be the slot's, leading ones of size 1 aside. */
function countSamples({ shape }: Tensor, slot: SampleSlot, at: string): number {
  const wanted = sizeOf(slot.shape);
  for (let axis = 0, size = sizeOf(shape); axis <= shape.length; axis++) {
    if (size === wanted) return sizeOf(shape.slice(0, axis));
    size /= shape[axis] ?? 1;
  }
  const one = slot.shape[0] === 1 ? slot.shape.slice(1) : slot.shape;
  return fail(
    "N2F_DATA_SHAPE",
    `an array of shape ${shapeText(shape)} is no number of inferences for input ${slot.name} of shape ${shapeText(slot.shape)}`,
    { at, hint: `Give an array of shape [count,${one.join(",")}].` },
  );
}

/** The shape of `count` results side by side: an axis of size 1 in front counts them. */
export function batchShape(count: number, shape: Shape): Shape {
  return shape[0] === 1 ? [count, ...shape.slice(1)] : [count, ...shape];
}
