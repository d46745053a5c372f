import { unreachable } from "../base/index.ts";
import { type Format, maxCode, minCode } from "./format.ts";

/**
 * How bits below the point are dropped, by the names of ap_fixed:
 * `TRN` floor, `RND` half up, `RND_CONV` half to even, `TRN_ZERO` toward zero.
 */
export type Rounding = "TRN" | "RND" | "RND_CONV" | "TRN_ZERO";

/** What happens above the range: `SAT` saturate, `SAT_SYM` saturate to -max .. max, `WRAP` modulo. */
export type Overflow = "SAT" | "SAT_SYM" | "WRAP";

export const roundings = ["TRN", "RND", "RND_CONV", "TRN_ZERO"] as const satisfies Rounding[];
export const overflows = ["SAT", "SAT_SYM", "WRAP"] as const satisfies Overflow[];

/** code / 2^shift, rounded to an integer. A negative shift multiplies and is exact. */
export function shiftRound(code: bigint, shift: number, rounding: Rounding): bigint {
  if (shift <= 0) return code << BigInt(-shift);
  const s = BigInt(shift);
  const half = 1n << (s - 1n);
  switch (rounding) {
    case "TRN":
      return code >> s;
    case "RND":
      return (code + half) >> s;
    case "RND_CONV": {
      const floor = code >> s;
      const rest = code - (floor << s);
      if (rest !== half) return rest > half ? floor + 1n : floor;
      return floor + (floor & 1n);
    }
    case "TRN_ZERO":
      return code < 0n ? -(-code >> s) : code >> s;
    default:
      return unreachable(rounding);
  }
}

/** Brings an integer into the range of a format. */
export function limit(code: bigint, to: Format, overflow: Overflow): bigint {
  const max = maxCode(to);
  switch (overflow) {
    case "WRAP":
      return to.signed ? BigInt.asIntN(to.width, code) : BigInt.asUintN(to.width, code);
    case "SAT":
    case "SAT_SYM": {
      const min = overflow === "SAT_SYM" && to.signed ? -max : minCode(to);
      return code < min ? min : code > max ? max : code;
    }
    default:
      return unreachable(overflow);
  }
}

/** The only operation that loses bits of a code, besides a table: round to a new point, then limit. */
export function requantize(
  code: bigint,
  fromFrac: number,
  to: Format,
  rounding: Rounding,
  overflow: Overflow,
): bigint {
  return limit(shiftRound(code, fromFrac - to.frac, rounding), to, overflow);
}

/** A real number to an integer, half-way cases by the rounding. Exact below 2^52. */
export function roundReal(value: number, rounding: Rounding): number {
  switch (rounding) {
    case "TRN":
      return Math.floor(value);
    case "RND": {
      const floor = Math.floor(value);
      return value - floor >= 0.5 ? floor + 1 : floor;
    }
    case "RND_CONV": {
      const floor = Math.floor(value);
      const rest = value - floor;
      if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
      return floor % 2 === 0 ? floor : floor + 1;
    }
    case "TRN_ZERO":
      return Math.trunc(value);
    default:
      return unreachable(rounding);
  }
}

/**
 * A real number to its code. NaN becomes 0; infinities saturate (and wrap to 0).
 * This is the rule by which hosts quantize float tensors.
 */
export function realToCode(
  value: number,
  to: Format,
  rounding: Rounding = "RND",
  overflow: Overflow = "SAT",
): bigint {
  if (Number.isNaN(value)) return 0n;
  const scaled = value * 2 ** to.frac;
  if (!Number.isFinite(scaled)) {
    if (overflow === "WRAP") return 0n;
    return limit(scaled > 0 ? maxCode(to) : minCode(to) - 1n, to, overflow);
  }
  return limit(BigInt(roundReal(scaled, rounding)), to, overflow);
}
