import { fail } from "../base/index.ts";
import { floorDiv, ratioOf } from "../fixed/index.ts";
import { type ArgType, definePrimitive, Ranges } from "../ir/index.ts";
import { shapeText, sizeOf } from "../tensor/index.ts";

interface MultiThresholdAttrs {
  /** Counted from the front. */
  readonly axis: number;
  /** Lists of thresholds: one for all, or one for each position along the axis. */
  readonly channels: number;
  /** List after list. */
  readonly thresholds: readonly number[];
  readonly [key: string]: number | readonly number[];
}

function placeOf({ shape }: ArgType, { axis, channels, thresholds }: MultiThresholdAttrs) {
  const count = thresholds.length / channels;
  if ((channels !== 1 && channels !== shape[axis]) || !Number.isInteger(count)) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `${thresholds.length} thresholds for ${channels} channels do not fit axis ${axis} of ${shapeText(shape)}`,
    );
  }
  return { channels, count, inner: channels === 1 ? 1 : sizeOf(shape.slice(axis + 1)) };
}

/** For each threshold the least code that has reached it; ascending in each channel. */
function codesOf(attrs: MultiThresholdAttrs, frac: number): bigint[] {
  const codes = attrs.thresholds.map((threshold) => {
    const { num, den } = ratioOf(threshold);
    return frac >= 0
      ? -floorDiv(-(num << BigInt(frac)), den)
      : -floorDiv(-num, den << BigInt(-frac));
  });
  const count = codes.length / attrs.channels;
  return Array.from({ length: attrs.channels }, (_, c) =>
    codes.slice(c * count, (c + 1) * count).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
  ).flat();
}

/** How many of a channel's ascending thresholds a code has reached. */
function reached(codes: readonly bigint[], c: number, count: number, x: bigint): bigint {
  let n = 0;
  while (n < count && codes[c * count + n] <= x) n++;
  return BigInt(n);
}

/**
 * How many thresholds of its channel x has reached: any staircase, whatever the scales that made it.
 *
 * @see https://github.com/Xilinx/finn/blob/main/docs/finn/internals.rst (MultiThreshold)
 */
export const multiThreshold = definePrimitive<MultiThresholdAttrs>({
  name: "multi_threshold",
  summary: "The number of constant thresholds that x has reached.",
  words: ["threshold"],
  swapTranspose: (perm, attrs) => ({ perm, attrs: { ...attrs, axis: perm[attrs.axis] } }),
  type: ([x], attrs) => {
    placeOf(x, attrs);
    return { shape: x.shape, dtype: "int" };
  },
  float: ([x], attrs) => {
    const { channels, inner, count } = placeOf(x, attrs);
    const data = x.data.map((value, i) => {
      const c = Math.floor(i / inner) % channels;
      const own = attrs.thresholds.slice(c * count, (c + 1) * count);
      return own.reduce((n, threshold) => n + (threshold <= value ? 1 : 0), 0);
    });
    return { shape: x.shape, dtype: "int", data };
  },
  narrow: () => [false],
  quant: ([x], attrs) => {
    const { channels, inner, count } = placeOf(x, attrs);
    const { ranges, format } = x.quant;
    const codes = codesOf(attrs, format.frac);
    const size = ranges.isUniform && channels === 1 ? 1 : sizeOf(x.shape);
    const made = Ranges.each(size, (i) => {
      const c = Math.floor(i / inner) % channels;
      return [
        reached(codes, c, count, ranges.lo(i)),
        reached(codes, c, count, ranges.hi(i)),
      ] as const;
    });
    return { format: made.format(0), ranges: made };
  },
  fixed: ([x], [arg], attrs) => {
    const { channels, inner, count } = placeOf(arg, attrs);
    const codes = codesOf(attrs, arg.quant.format.frac);
    return x.map((code, i) => reached(codes, Math.floor(i / inner) % channels, count, code));
  },
  kernel: ([x], attrs) => {
    const place = placeOf(x, attrs);
    const most = (1n << 63n) - 1n;
    const within = (code: bigint) => (code > most ? most : code < -most ? -most : code);
    return {
      kind: "threshold",
      ...place,
      thresholds: BigInt64Array.from(codesOf(attrs, x.quant.format.frac), within),
      base: new Float64Array(place.channels),
      falls: new Array<boolean>(place.channels).fill(false),
    };
  },
});
