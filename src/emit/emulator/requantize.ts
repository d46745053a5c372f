import { unreachable } from "../../base/index.ts";
import { limit, type Rounding, shiftRound } from "../../fixed/index.ts";
import type { RequantizeKernel } from "../../ir/index.ts";
import {
  addVecs,
  clamp,
  compareVecs,
  maskBits,
  shiftLeft,
  shiftLeftSaturated,
  shiftRight,
} from "./arithmetic.ts";
import { fitsSigned, type Interval, mapInterval } from "./interval.ts";
import { constantVec, mapParts, settle, toLane, type Vec } from "./vec.ts";
import { type FunctionBuilder, i32x4, i64x2 } from "./wasm/index.ts";

/** limit(shiftRound(x, shift)), by the rules of `fixed/round.ts`. */
export function requantizeVec(f: FunctionBuilder, x: Vec, kernel: RequantizeKernel): Vec {
  const { shift, rounding, overflow, signed, width } = kernel;
  const format = { signed, width, frac: 0 };
  const range: Interval = {
    lo: limit(-(1n << 80n), format, overflow === "WRAP" ? "SAT" : overflow),
    hi: limit(1n << 80n, format, "SAT"),
  };
  if (shift <= 0) {
    if (overflow !== "WRAP") return shiftLeftSaturated(f, x, -shift, range);
    const exact = mapInterval(x, (code) => code << BigInt(-shift));
    // Modulo 2^64 is enough for what is about to be taken modulo 2^width.
    const wide = toLane(f, x, fitsSigned(exact, 32) || fitsSigned(range, 32) ? 32 : 64);
    return wrap(f, shiftLeft(f, wide, -shift, exact), range, signed, width);
  }
  const rounded = roundShift(f, x, shift, rounding);
  if (overflow === "WRAP") return wrap(f, rounded, range, signed, width);
  return clamp(f, settle(f, rounded, rounded), range.lo, range.hi);
}

/** x modulo 2^width, as a code of the format; nothing to do where x is one already. */
export function wrap(
  f: FunctionBuilder,
  x: Vec,
  range: Interval,
  signed: boolean,
  width: number,
): Vec {
  if (x.lo >= range.lo && x.hi <= range.hi) return settle(f, x, x);
  const y = toLane(f, x, fitsSigned(range, 32) ? 32 : 64);
  if (!signed) return maskBits(f, y, (1n << BigInt(width)) - 1n, range);
  const unused = y.lane - width;
  const up = shiftLeft(f, y, unused, range);
  const shift = y.lane === 32 ? i32x4.shr : i64x2.shr;
  return unused === 0 ? up : mapParts(f, [up], range, (part) => shift(part, unused));
}

/**
 * x / 2^shift rounded, for shift > 0. Formulas never leave the lanes of x: half is added only where the
 * interval says that it fits.
 */
function roundShift(f: FunctionBuilder, x: Vec, shift: number, rounding: Rounding): Vec {
  const interval = mapInterval(x, (code) => shiftRound(code, shift, rounding));
  const one = constantVec(1n, x.lane);
  const by = BigInt(shift);
  switch (rounding) {
    case "TRN":
      return shiftRight(f, x, shift);
    case "RND": {
      const half = 1n << (by - 1n);
      if (fitsSigned({ lo: x.lo, hi: x.hi + half }, x.lane)) {
        const sum = addVecs(f, x, constantVec(half, x.lane), { lo: x.lo + half, hi: x.hi + half });
        return { ...shiftRight(f, sum, shift), ...interval };
      }
      // The floor, plus the last bit that was dropped.
      const floor = shiftRight(f, x, shift);
      const last = maskBits(f, shiftRight(f, x, shift - 1), 1n, one);
      return addVecs(f, floor, last, interval);
    }
    case "RND_CONV": {
      // Everything is nearer to zero than half a step, or as near: and zero is even.
      if (shift >= x.lane) return { ...constantVec(0n, x.lane), ...interval };
      // Up where rest > half, or rest = half and the floor is odd: rest > half - (floor mod 2).
      const floor = shiftRight(f, x, shift);
      const rest = maskBits(f, x, (1n << by) - 1n, { lo: 0n, hi: (1n << by) - 1n });
      const odd = maskBits(f, floor, 1n, { lo: 0n, hi: 1n });
      const half = constantVec(1n << (by - 1n), x.lane);
      const sub = x.lane === 32 ? i32x4.sub : i64x2.sub;
      const threshold = mapParts(f, [half, odd], half, sub);
      const up = compareVecs(f, "gt", rest, threshold);
      return mapParts(f, [floor, up], interval, sub);
    }
    case "TRN_ZERO": {
      if (x.lo >= 0n) return shiftRight(f, x, shift);
      if (shift >= x.lane) return { ...constantVec(0n, x.lane), ...interval };
      // The floor of x + 2^shift - 1 where x is negative: such a sum cannot overflow.
      const sign = shiftRight(f, x, x.lane);
      const most = (1n << by) - 1n;
      const added = maskBits(f, sign, most, { lo: 0n, hi: most });
      return { ...shiftRight(f, addVecs(f, x, added, x), shift), ...interval };
    }
    default:
      return unreachable(rounding);
  }
}
