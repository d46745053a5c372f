import { assert, unreachable } from "../../base/index.ts";
import type { BinaryKernel, SlopeKernel } from "../../ir/index.ts";
import { fitsSigned, type Interval, laneFor, mapInterval } from "./interval.ts";
import { constantVec, type Lane, makeVec, mapParts, settle, toLane, type Vec } from "./vec.ts";
import { type FunctionBuilder, i32x4, i64x2, type V128, v128 } from "./wasm/index.ts";

/**
 * Element-wise arithmetic on vecs. Each function states in which lanes it computes and why that is
 * exact: sums, products and left shifts are right modulo 2^lane whatever their operands do, so only
 * the result must fit; comparisons and right shifts need operands that fit.
 */

const least64 = -(1n << 63n);
const most64 = (1n << 63n) - 1n;
export const word64: Interval = { lo: least64, hi: most64 };

const compare = {
  32: { lt: i32x4.lt, gt: i32x4.gt, le: i32x4.le, ge: i32x4.ge },
  64: { lt: i64x2.lt, gt: i64x2.gt, le: i64x2.le, ge: i64x2.ge },
} as const;

/** Where x compares so to y: all ones in its lane, else zero. Both have the same lanes. */
export function compareVecs(
  f: FunctionBuilder,
  how: "lt" | "gt" | "le" | "ge",
  x: Vec,
  y: Vec,
): Vec {
  return mapParts(f, [x, y], { lo: -1n, hi: 0n }, compare[x.lane][how]);
}

/** x where the mask is set, y elsewhere. */
export function selectVec(f: FunctionBuilder, mask: Vec, x: Vec, y: Vec, interval: Interval): Vec {
  return mapParts(f, [x, y, mask], interval, v128.select);
}

/** x * 2^count modulo 2^lane, for any count. */
export function shiftLeft(f: FunctionBuilder, x: Vec, count: number, interval: Interval): Vec {
  assert(count >= 0, `a kernel shifts to the left by ${count} bits`);
  if (count === 0) return { ...x, ...interval };
  if (count >= x.lane) return { ...constantVec(0n, x.lane), ...interval };
  const shift = x.lane === 32 ? i32x4.shl : i64x2.shl;
  return mapParts(f, [x], interval, (part) => shift(part, count));
}

/** Floor of x / 2^count, for any count. */
export function shiftRight(f: FunctionBuilder, x: Vec, count: number): Vec {
  if (count === 0) return x;
  const shift = x.lane === 32 ? i32x4.shr : i64x2.shr;
  const interval = mapInterval(x, (code) => code >> BigInt(count));
  return mapParts(f, [x], interval, (part) => shift(part, Math.min(count, x.lane - 1)));
}

/**
 * x * 2^count, exact; what lies beyond a range becomes the end of the range. Without the range being
 * reached this is a shift in whatever lanes hold the result.
 */
export function shiftLeftSaturated(
  f: FunctionBuilder,
  x: Vec,
  count: number,
  range: Interval,
): Vec {
  const by = BigInt(count);
  const exact = mapInterval(x, (code) => code << by);
  if (fitsSigned(exact, 64)) {
    return clamp(f, shiftLeft(f, toLane(f, x, laneFor(exact)), count, exact), range.lo, range.hi);
  }
  const wide = toLane(f, x, 64);
  // Codes from `least` to `most` stay within the range; the rest of the shifted register is discarded.
  const most = constantVec(range.hi >> by, 64);
  const least = constantVec(-(-range.lo >> by), 64);
  const below = compareVecs(f, "lt", wide, least);
  const above = compareVecs(f, "gt", wide, most);
  const shifted = shiftLeft(f, wide, count, range);
  const capped = selectVec(f, above, constantVec(range.hi, 64), shifted, range);
  return settle(f, selectVec(f, below, constantVec(range.lo, 64), capped, range), range);
}

export function addVecs(f: FunctionBuilder, x: Vec, y: Vec, interval: Interval): Vec {
  return mapParts(f, [x, y], interval, x.lane === 32 ? i32x4.add : i64x2.add);
}

/** The product in lanes that hold it; 64 bits from factors of 32 where they fit. */
export function multiply(f: FunctionBuilder, x: Vec, y: Vec, lane: Lane, interval: Interval): Vec {
  if (lane === 64 && x.lane === 32 && y.lane === 32) {
    const [a, b] = [x.parts[0], y.parts[0]];
    const parts = [f.bind(i64x2.extmulLow32(a, b)), f.bind(i64x2.extmulHigh32(a, b))];
    return makeVec(64, parts, interval);
  }
  const factors = [toLane(f, x, lane), toLane(f, y, lane)];
  return mapParts(f, factors, interval, lane === 32 ? i32x4.mul : i64x2.mul);
}

/** The greater or the lesser; operands are in the same lanes. */
export function extremeVec(
  f: FunctionBuilder,
  fn: "max" | "min",
  x: Vec,
  y: Vec,
  interval: Interval,
): Vec {
  if (x.lane === 32) return mapParts(f, [x, y], interval, i32x4[fn]);
  const wins = compareVecs(f, fn === "max" ? "gt" : "lt", x, y);
  return selectVec(f, wins, x, y, interval);
}

/** x * 2^shiftX fn y * 2^shiftY; the result lies within `proven`. */
export function binaryVec(
  f: FunctionBuilder,
  fn: BinaryKernel["fn"],
  [x, shiftX]: readonly [Vec, number],
  [y, shiftY]: readonly [Vec, number],
  proven: Interval,
): Vec {
  switch (fn) {
    case "add":
    case "sub": {
      const lane = laneFor(proven);
      const a = shiftLeft(f, toLane(f, x, lane), shiftX, proven);
      const b = shiftLeft(f, toLane(f, y, lane), shiftY, proven);
      if (fn === "add") return addVecs(f, a, b, proven);
      return mapParts(f, [a, b], proven, lane === 32 ? i32x4.sub : i64x2.sub);
    }
    case "mul":
      return shiftLeft(f, multiply(f, x, y, laneFor(proven), proven), shiftX + shiftY, proven);
    case "max":
    case "min": {
      // An operand beyond 64 bits cannot be the result, which fits: its nearest code loses as well.
      const a = shiftLeftSaturated(f, x, shiftX, word64);
      const b = shiftLeftSaturated(f, y, shiftY, word64);
      const lane = a.lane === 32 && b.lane === 32 ? 32 : 64;
      const extreme = extremeVec(f, fn, toLane(f, a, lane), toLane(f, b, lane), {
        lo: fn === "max" ? larger(a.lo, b.lo) : smaller(a.lo, b.lo),
        hi: fn === "max" ? larger(a.hi, b.hi) : smaller(a.hi, b.hi),
      });
      return settle(f, extreme, proven);
    }
    default:
      return unreachable(fn);
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** min(max(x, lo), hi). A bound that x cannot reach costs nothing, and one that it can fits its lanes. */
export function clamp(f: FunctionBuilder, x: Vec, lo: bigint, hi: bigint): Vec {
  const interval = mapInterval(x, (code) => smaller(larger(code, lo), hi));
  if (interval.lo === interval.hi) return constantVec(interval.lo);
  let y = x;
  if (lo > y.lo) y = atLeast(f, y, lo);
  if (hi < y.hi) y = extremeVec(f, "min", y, constantVec(hi, y.lane), { lo: y.lo, hi });
  return settle(f, y, interval);
}

function atLeast(f: FunctionBuilder, x: Vec, lo: bigint): Vec {
  const interval = { lo, hi: x.hi };
  const bound = constantVec(lo, x.lane);
  if (x.lane === 32 || lo !== 0n) return extremeVec(f, "max", x, bound, interval);
  const negative = compareVecs(f, "lt", x, bound);
  return mapParts(f, [x, negative], interval, v128.andnot);
}

/** x * slope below zero, x * 2^shift elsewhere. Both branches are right modulo 2^lane. */
export function slopeVec(
  f: FunctionBuilder,
  x: Vec,
  slope: Vec,
  { shift }: SlopeKernel,
  proven: Interval,
): Vec {
  if (x.lo >= 0n) return shiftLeft(f, toLane(f, x, laneFor(proven)), shift, proven);
  const product = laneFor(proven);
  // The sign must be seen in the lanes in which x is exact.
  const lane = x.lane === 64 ? 64 : product;
  const low = multiply(f, x, slope, lane, word64);
  const wide = toLane(f, x, lane);
  const high = shiftLeft(f, wide, shift, word64);
  const negative = compareVecs(f, "lt", wide, constantVec(0n, lane));
  const result = selectVec(f, negative, low, high, word64);
  return settle(f, { ...result, ...proven }, proven);
}

/** Bits of x that a mask keeps. */
export function maskBits(f: FunctionBuilder, x: Vec, mask: bigint, interval: Interval): Vec {
  const bits: V128 = constantVec(mask, x.lane).parts[0];
  return mapParts(f, [x], interval, (part) => v128.and(part, bits));
}
