import { definePrimitive, type QuantArg, Ranges } from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";

/** The codes of the slope, one for each element of x (or one for all). */
function slopes([x, slope]: readonly QuantArg[]): Float64Array {
  const codes = (slope.data as NonNullable<QuantArg["data"]>).data;
  if (codes.length === 1) return codes;
  const index = broadcastIndex(slope.shape, x.shape);
  return index === undefined ? codes : Float64Array.from(index, (i) => codes[i]);
}

const apply = (x: bigint, slope: bigint, shift: bigint): bigint =>
  x < 0n ? x * slope : x << shift;

/**
 * x from zero up, x * slope below; the slope is a constant, of any size and sign. LeakyRelu is the case
 * of one slope. The result is exact: its binary point is the sum of those of x and slope.
 *
 * @see https://onnx.ai/onnx/operators/onnx__PRelu.html
 */
export const prelu = definePrimitive({
  name: "prelu",
  summary: "x from zero up, x times a constant slope below.",
  type: ([x, slope]) => ({ shape: broadcastShapes(x.shape, slope.shape), dtype: x.dtype }),
  float: ([x, slope]) => {
    const index = broadcastIndex(slope.shape, x.shape);
    const data = x.data.map((value, i) =>
      value < 0 ? value * slope.data[slope.data.length === 1 ? 0 : (index?.[i] ?? i)] : value,
    );
    return { shape: x.shape, dtype: x.dtype, data };
  },
  narrow: () => [false, true],
  quant: (args) => {
    const [x, slope] = args;
    const codes = slopes(args);
    const shift = BigInt(slope.quant.format.frac);
    const size = x.quant.ranges.isUniform && codes.length === 1 ? 1 : sizeOf(x.shape);
    const ranges = Ranges.each(size, (i) => {
      const s = BigInt(codes[codes.length === 1 ? 0 : i]);
      const [lo, hi] = [x.quant.ranges.lo(i), x.quant.ranges.hi(i)];
      const corners = [apply(lo, s, shift), apply(hi, s, shift)];
      // Between the ends the curve turns at zero, and just below it.
      if (lo < 0n && hi >= 0n) corners.push(0n, -s);
      return [corners.reduce((a, b) => (a < b ? a : b)), corners.reduce((a, b) => (a > b ? a : b))];
    });
    const frac = x.quant.format.frac + slope.quant.format.frac;
    return { format: ranges.format(frac), ranges };
  },
  fixed: ([x], quants) => {
    const codes = slopes(quants);
    const shift = BigInt(quants[1].quant.format.frac);
    return x.map((code, i) => apply(code, BigInt(codes[codes.length === 1 ? 0 : i]), shift));
  },
  kernel: (args) => ({ kind: "slope", slope: slopes(args), shift: args[1].quant.format.frac }),
});
