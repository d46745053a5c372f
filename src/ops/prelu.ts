import { fail } from "../base/index.ts";
import { definePrimitive, type QuantArg, Ranges } from "../ir/index.ts";
import { sameShape, shapeText, sizeOf } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";

/** How far x is shifted where it is not negative: the slope's bits below the point. */
const fractionBits = (slope: QuantArg): number => Math.max(slope.quant.format.frac, 0);

/** The slope at that point as codes, one for each element of x (or one for all). */
function slopes([x, slope]: readonly QuantArg[]): Float64Array {
  const { data } = slope.data as NonNullable<QuantArg["data"]>;
  const scale = 2 ** (fractionBits(slope) - slope.quant.format.frac);
  const codes = scale === 1 ? data : data.map((code) => code * scale);
  if (codes.length === 1) return codes;
  const index = broadcastIndex(slope.shape, x.shape);
  return index === undefined ? codes : Float64Array.from(index, (i) => codes[i]);
}

const apply = (x: bigint, slope: bigint, shift: bigint): bigint =>
  x < 0n ? x * slope : x << shift;

/**
 * x from zero up, x * slope below; the slope is a constant, of any size and sign. LeakyRelu is the case
 * of one slope. The result is exact: its binary point is the sum of those of x and slope
 * (of x alone where the slope has no bits below the point).
 *
 * @see https://onnx.ai/onnx/operators/onnx__PRelu.html
 */
export const prelu = definePrimitive({
  name: "prelu",
  summary: "x from zero up, x times a constant slope below.",
  words: ["slope"],
  swapTranspose: (perm, attrs) => ({ perm, attrs }),
  type: ([x, slope]) => {
    if (!sameShape(broadcastShapes(x.shape, slope.shape), x.shape)) {
      fail(
        "N2F_OP_ATTRIBUTE",
        `a slope of shape ${shapeText(slope.shape)} does not fit ${shapeText(x.shape)}`,
      );
    }
    return { shape: x.shape, dtype: x.dtype };
  },
  float: ([x, slope]) => {
    const index = broadcastIndex(slope.shape, x.shape);
    const data = x.data.map((value, i) =>
      value < 0 ? value * slope.data[slope.data.length === 1 ? 0 : (index?.[i] ?? i)] : value,
    );
    return { shape: x.shape, dtype: x.dtype, data };
  },
  narrow: () => [true, true],
  quant: (args) => {
    const [x, slope] = args;
    const codes = slopes(args);
    const shift = BigInt(fractionBits(slope));
    const size = codes.length === 1 ? x.quant.ranges.period : sizeOf(x.shape);
    const ranges = Ranges.each(size, (i) => {
      const s = BigInt(codes[codes.length === 1 ? 0 : i]);
      const [lo, hi] = [x.quant.ranges.lo(i), x.quant.ranges.hi(i)];
      const corners = [apply(lo, s, shift), apply(hi, s, shift)];
      // Between the ends the curve turns at zero, and just below it.
      if (lo < 0n && hi >= 0n) corners.push(0n, -s);
      return [corners.reduce((a, b) => (a < b ? a : b)), corners.reduce((a, b) => (a > b ? a : b))];
    });
    const frac = x.quant.format.frac + fractionBits(slope);
    return { format: ranges.format(frac), ranges };
  },
  fixed: ([x], quants) => {
    const codes = slopes(quants);
    const shift = BigInt(fractionBits(quants[1]));
    return x.map((code, i) => apply(code, BigInt(codes[codes.length === 1 ? 0 : i]), shift));
  },
  kernel: (args) => ({ kind: "slope", slope: slopes(args), shift: fractionBits(args[1]) }),
});
