import { type Shape, sizeOf, stridesOf } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import { quotientBy } from "./integer.ts";
import type { Operand } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";
import type { Windows } from "./windows.ts";

/** Along one axis, of each place: where the window begins, and the first and last step inside the value. */
interface AxisPlaces {
  readonly starts: readonly number[];
  readonly first: readonly number[];
  readonly last: readonly number[];
}

function placesOf(extent: number, axis: number, windows: Windows): AxisPlaces {
  const { kernel, strides, dilations, pads } = windows;
  const step = dilations[axis];
  const room = extent + pads[axis] + pads[axis + kernel.length] - step * (kernel[axis] - 1) - 1;
  const starts = Array.from(
    { length: Math.floor(room / strides[axis]) + 1 },
    (_, place) => place * strides[axis] - pads[axis],
  );
  return {
    starts,
    first: starts.map((start) => Math.max(0, Math.ceil(-start / step))),
    last: starts.map((start) =>
      Math.min(kernel[axis] - 1, Math.floor((extent - 1 - start) / step)),
    ),
  };
}

/**
 * Where the greatest element of each window stands in the whole of x `[N, C, ...spatial]`, the first of equal
 * ones: what MaxPool gives as its second output. A window's elements are laid side by side, with the nearest one
 * inside in the place of padding, which comes later or is the same; the position of the greatest among them is
 * taken apart into a step along each axis.
 *
 * @param isColumnMajor whether positions count along the first spatial axis fastest
 */
export function positionsOfGreatest(
  context: RuleContext,
  x: Operand,
  windows: Windows,
  isColumnMajor: boolean,
): Operand {
  const f = new Formula(context);
  const spatial = x.shape.slice(2);
  const { kernel, dilations } = windows;
  const axes = spatial.map((extent, axis) => placesOf(extent, axis, windows));
  const places = axes.map(({ starts }) => starts.length);
  const shape = [...x.shape.slice(0, 2), ...places];
  const steps = sizeOf(kernel);
  context.checkListed(sizeOf(shape) * steps);
  const indices = elementsSideBySide(x.shape, axes, windows);
  const sideBySide = f.apply("take", x, { shape: [...shape, steps], indices });
  let rest = f.apply("argmax", sideBySide, { axis: shape.length, keepdims: false, last: false });

  const strides = isColumnMajor ? stridesOf(spatial.toReversed()).toReversed() : stridesOf(spatial);
  const along = (axis: number, numbers: readonly number[]): Operand =>
    f.constant(
      numbers,
      shape.map((_, i) => (i === axis + 2 ? numbers.length : 1)),
      "int",
    );
  const images = sizeOf(x.shape.slice(0, 2));
  let position = f.constant(
    Float64Array.from({ length: images }, (_, i) => i * sizeOf(spatial)),
    [...x.shape.slice(0, 2), ...spatial.map(() => 1)],
    "int",
  );
  spatial.forEach((_, axis) => {
    const inner = sizeOf(kernel.slice(axis + 1));
    const step = inner === 1 ? rest : quotientBy(context, rest, inner);
    if (inner > 1) rest = f.sub(rest, f.mul(step, inner));
    const { starts, first, last } = axes[axis];
    const inside = f.min(f.max(step, along(axis, first)), along(axis, last));
    const at = f.add(f.mul(inside, dilations[axis]), along(axis, starts));
    position = f.add(f.mul(at, strides[axis]), position);
  });
  return position;
}

/** Of each window its elements in row-major order, by their numbers in x. */
function elementsSideBySide(
  shape: Shape,
  axes: readonly AxisPlaces[],
  { kernel, dilations }: Windows,
): number[] {
  const strides = stridesOf(shape.slice(2));
  // For each axis and place, how far each of its steps is from the origin.
  const offsets = axes.map(({ starts, first, last }, axis) =>
    starts.map((start, place) =>
      Array.from({ length: kernel[axis] }, (_, k) => {
        const inside = Math.min(Math.max(k, first[place]), last[place]);
        return (start + inside * dilations[axis]) * strides[axis];
      }),
    ),
  );
  let windows: number[][] = [[0]];
  for (const places of offsets) {
    windows = windows.flatMap((window) =>
      places.map((list) => window.flatMap((from) => list.map((offset) => from + offset))),
    );
  }
  const images = sizeOf(shape.slice(0, 2));
  const size = sizeOf(shape.slice(2));
  return Array.from({ length: images }, (_, i) => i * size).flatMap((start) =>
    windows.flatMap((window) => window.map((at) => start + at)),
  );
}
