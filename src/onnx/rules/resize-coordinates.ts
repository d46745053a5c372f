import { fail } from "../../base/index.ts";

/** How one axis is resized. */
export interface AxisResize {
  readonly extent: number;
  readonly result: number;
  readonly scale: number;
  /** Begin and end of the region of interest, as parts of the axis. */
  readonly roi: readonly [number, number];
}

/** Where each position of the result lies on the axis of the argument. */
export function originalPositions(mode: string, axis: AxisResize): number[] {
  return Array.from({ length: axis.result }, (_, at) => originalPosition(mode, at, axis));
}

/** @see https://onnx.ai/onnx/operators/onnx__Resize.html, coordinate_transformation_mode */
function originalPosition(mode: string, at: number, axis: AxisResize): number {
  const { extent, result, scale, roi } = axis;
  // The length that the scale gives, which the result's extent is rounded from.
  const length = extent * scale;
  switch (mode) {
    case "half_pixel":
      return (at + 0.5) / scale - 0.5;
    case "half_pixel_symmetric": {
      const adjustment = result / length;
      return (extent / 2) * (1 - adjustment) + (at + 0.5) / scale - 0.5;
    }
    case "pytorch_half_pixel":
      return length === 1 ? 0 : (at + 0.5) / scale - 0.5;
    case "align_corners":
      return length === 1 ? 0 : (at * (extent - 1)) / (length - 1);
    case "asymmetric":
      return at / scale;
    case "tf_half_pixel_for_nn":
      return (at + 0.5) / scale;
    case "tf_crop_and_resize": {
      const [start, end] = roi;
      if (length === 1) return 0.5 * (start + end) * (extent - 1);
      return start * (extent - 1) + (at * (end - start) * (extent - 1)) / (length - 1);
    }
    default:
      return fail("N2F_OP_ATTRIBUTE", `coordinate_transformation_mode is ${mode}`);
  }
}

/** The nearest element to a position. @see nearest_mode */
export function nearest(mode: string, position: number, extent: number): number {
  const rounded = (() => {
    switch (mode) {
      case "round_prefer_floor":
        return Math.ceil(position - 0.5);
      case "round_prefer_ceil":
        return Math.floor(position + 0.5);
      case "floor":
        return Math.floor(position);
      case "ceil":
        return Math.ceil(position);
      default:
        return fail("N2F_OP_ATTRIBUTE", `nearest_mode is ${mode}`);
    }
  })();
  return Math.min(Math.max(rounded, 0), extent - 1);
}

export interface Interpolation {
  readonly mode: "linear" | "cubic";
  readonly cubicA: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}

/**
 * What the result at a position takes of each element of the axis. Beyond the ends the last element counts,
 * or nothing where what lies outside is excluded.
 */
export function interpolationWeights(
  how: Interpolation,
  position: number,
  { extent, scale }: AxisResize,
): Float64Array {
  const shrink = how.antialias ? Math.min(scale, 1) : 1;
  const reach = how.mode === "linear" ? 1 : 2;
  // Elements from `first` on; a position on an element prefers the elements to its left.
  const start = Math.floor(-reach / shrink) + 1;
  const count = 2 * reach - 2 * (start + reach - 1);
  const isWhole = Number.isInteger(position);
  const left = isWhole ? position - 1 : Math.floor(position);
  const ratio = position - left;
  const taps = Array.from({ length: count }, (_, i) => {
    const distance = (start + i - ratio) * shrink;
    return how.mode === "linear"
      ? Math.max(0, 1 - Math.abs(distance))
      : cubic(distance, how.cubicA);
  });
  const weights = new Float64Array(extent);
  let sum = 0;
  taps.forEach((tap, i) => {
    const at = left + start + i;
    if (how.excludeOutside && (at < 0 || at >= extent)) return;
    weights[Math.min(Math.max(at, 0), extent - 1)] += tap;
    sum += tap;
  });
  return how.excludeOutside || how.antialias ? weights.map((weight) => weight / sum) : weights;
}

/** The cubic convolution kernel. @see Keys, IEEE ASSP 29 (1981) 1153 */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}
