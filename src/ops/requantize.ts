import {
  limit,
  maxCode,
  minCode,
  requantize as requantizeCode,
  shiftRound,
} from "../fixed/index.ts";
import { definePrimitive } from "../ir/index.ts";
import { type PrecisionAttrs, readPrecision } from "./family/precision-attrs.ts";

/**
 * The same number with fewer bits: to another binary point by the rounding, into the range by the
 * overflow rule. Quantization puts it where a value is to be narrowed; besides tables it is the only
 * operator that loses bits.
 */
export const requantize = definePrimitive<PrecisionAttrs>({
  name: "requantize",
  summary: "The same number with fewer bits.",
  words: ["requantize"],
  lossy: true,
  type: ([{ shape, dtype }]) => ({ shape, dtype }),
  float: ([x]) => x,
  narrow: () => [false],
  quant: ([x], attrs) => {
    const { format, rounding, overflow } = readPrecision(attrs);
    const from = x.quant;
    const shift = from.format.frac - format.frac;
    const ranges = from.ranges.map((low, high) => {
      const lo = shiftRound(low, shift, rounding);
      const hi = shiftRound(high, shift, rounding);
      const fits = lo >= minCode(format) && hi <= maxCode(format);
      if (overflow === "WRAP" && !fits) return [minCode(format), maxCode(format)];
      return [limit(lo, format, overflow), limit(hi, format, overflow)];
    });
    return { format, ranges };
  },
  fixed: ([x], [arg], attrs) => {
    const { format, rounding, overflow } = readPrecision(attrs);
    return x.map((code) => requantizeCode(code, arg.quant.format.frac, format, rounding, overflow));
  },
  kernel: ([x], attrs) => {
    const { format, rounding, overflow } = readPrecision(attrs);
    const shift = x.quant.format.frac - format.frac;
    const { signed, width } = format;
    return { kind: "requantize", shift, rounding, overflow, signed, width };
  },
});
