import { fail } from "../../base/index.ts";
import type { Channels, Kernel, ScaleKernel } from "../../ir/index.ts";
import { linearOf, type Staircase, type StepRule, staircaseOf, stepFunction } from "./step-rule.ts";

/** Codes of one channel that can come. */
export type CodeInterval = readonly [bigint, bigint];

/** Steps of all channels together that are worked out one by one. */
const maxSteps = 1 << 22;
/** Bits of x * m + a, so that it is exact in 64-bit lanes. */
const sumBits = 62n;
/** Bits of a multiplier. */
const multiplierBits = 47;

/** What a channel comes to: (u * m + a) >> shift, with u = x, or -x where it falls. */
interface Fit {
  readonly m: bigint;
  readonly a: bigint;
  readonly shift: number;
}

/**
 * The cheapest kernel that is equal to the rules for every code of the intervals, one of each for each channel:
 * a plain shift, a multiplier and a shift that are proven at every step, the same with ties to even where the
 * scale is a dyadic fraction, or the steps themselves.
 *
 * @throws N2F_FORMAT_RANGE where there are too many steps to look at, and no other way
 */
export function stepKernel(
  rules: readonly StepRule[],
  intervals: readonly CodeInterval[],
  frac: number,
  place: Channels,
): Kernel {
  const plain = shiftKernel(rules, intervals, frac);
  if (plain !== undefined) return plain;
  const count = rules.reduce((sum, rule, c) => {
    const value = stepFunction(rule, frac);
    return sum + Math.abs(Number(value(intervals[c][1]) - value(intervals[c][0])));
  }, 0);
  if (count > maxSteps) {
    const dyadic = dyadicKernel(rules, intervals, frac, place);
    if (dyadic !== undefined) return dyadic;
    fail("N2F_FORMAT_RANGE", `what is quantized takes ${count} steps, and no shift has them`, {
      hint: "Quantize to 16 bits at most, or by a scale that is a power of two.",
    });
  }
  const stairs = rules.map((rule, c) => staircaseOf(rule, frac, ...intervals[c]));
  return (
    scaleKernel(stairs, place) ??
    dyadicKernel(rules, intervals, frac, place) ??
    thresholdKernel(stairs, place)
  );
}

const magnitude = (x: bigint): bigint => (x < 0n ? -x : x);

function reach([lo, hi]: CodeInterval): bigint {
  return magnitude(lo) > magnitude(hi) ? magnitude(lo) : magnitude(hi);
}

/** One rule that drops bits and saturates to the ends of a format. */
function shiftKernel(
  rules: readonly StepRule[],
  intervals: readonly CodeInterval[],
  frac: number,
): Kernel | undefined {
  const [rule] = rules;
  const { zeroPoint, lo, hi, arithmetic } = rule;
  const isOne = rules.every((other) =>
    (Object.keys(rule) as (keyof StepRule)[]).every((key) => rule[key] === other[key]),
  );
  const rounding = shiftRoundings[rule.rounding];
  if (!isOne || rounding === undefined || zeroPoint !== 0) return undefined;
  const { a, b, d } = linearOf(rule, frac);
  if (arithmetic === "float32" && !isExactInFloat32(rule, a, intervals[0])) return undefined;
  const shift = a > 0n ? twosOf(d) : undefined;
  const up = a > 0n ? twosOf(a) : undefined;
  if (b !== 0n || shift === undefined || up === undefined) return undefined;
  const width = lo === 0 ? Math.log2(hi + 1) : Math.log2(hi + 1) + 1;
  if (!Number.isInteger(width) || width < 1 || width > 53) return undefined;
  const ends = { [-hi - 1]: "SAT", [-hi]: "SAT_SYM" } as const;
  const overflow = lo === 0 ? "SAT" : ends[lo];
  if (overflow === undefined) return undefined;
  return { kind: "requantize", shift: shift - up, rounding, overflow, signed: lo < 0, width };
}

const shiftRoundings = {
  floor: "TRN",
  half_up: "RND",
  half_even: "RND_CONV",
  zero: "TRN_ZERO",
  ceil: undefined,
  away: undefined,
  half_away: undefined,
  half_zero: undefined,
} as const;

/** Whether float32 holds every a * x, and no step before it rounds. */
function isExactInFloat32({ mul, div, add }: StepRule, a: bigint, codes: CodeInterval): boolean {
  return add === 0 && (mul === 1 || div === 1) && magnitude(a) * reach(codes) <= 1n << 24n;
}

/** The exponent of a power of two. */
function twosOf(x: bigint): number | undefined {
  const bits = x.toString(2);
  return bits.indexOf("1", 1) < 0 ? bits.length - 1 : undefined;
}

/** The rule's own fraction where its denominator is a power of two: ties are then where they should be. */
function dyadicKernel(
  rules: readonly StepRule[],
  intervals: readonly CodeInterval[],
  frac: number,
  place: Channels,
): ScaleKernel | undefined {
  const [{ rounding, zeroPoint, lo, hi }] = rules;
  const isOne = rules.every(
    (rule) =>
      rule.rounding === rounding &&
      rule.zeroPoint === zeroPoint &&
      rule.lo === lo &&
      rule.hi === hi,
  );
  if (!isOne || (rounding !== "half_even" && rounding !== "floor" && rounding !== "half_up"))
    return undefined;
  const fits = rules.map((rule, c): Fit | undefined => {
    const { a, b, d } = linearOf(rule, frac);
    if (rule.arithmetic === "float32" && !isExactInFloat32(rule, a, intervals[c])) return undefined;
    const shift = twosOf(d);
    return shift === undefined ? undefined : { m: a, a: b, shift };
  });
  if (!fits.every((fit) => fit !== undefined)) return undefined;
  const offset = BigInt(zeroPoint);
  if (rounding === "half_even") {
    const aligned = align(fits, intervals);
    return (
      aligned && {
        kind: "scale",
        ...place,
        ...aligned,
        rounding: "RND_CONV",
        lo: BigInt(lo) - offset,
        hi: BigInt(hi) - offset,
        offset,
      }
    );
  }
  // Half a step and the zero point go into the sum. A half needs a bit below the point.
  const moved = fits.map(({ m, a, shift }) => ({
    m: 2n * m,
    a: 2n * a + (offset << BigInt(shift + 1)) + (rounding === "half_up" ? 1n << BigInt(shift) : 0n),
    shift: shift + 1,
  }));
  const aligned = align(moved, intervals);
  return (
    aligned && {
      kind: "scale",
      ...place,
      ...aligned,
      rounding: "TRN",
      lo: BigInt(lo),
      hi: BigInt(hi),
      offset: 0n,
    }
  );
}

/** A multiplier and an addend for each channel, such that no step is anywhere but where it should be. */
function scaleKernel(stairs: readonly Staircase[], place: Channels): ScaleKernel | undefined {
  const tops = stairs.map(({ base, thresholds }) => base + BigInt(thresholds.length));
  const bases = stairs.map(({ base }) => base);
  const lo = bases.reduce((a, b) => (a < b ? a : b));
  const hi = tops.reduce((a, b) => (a > b ? a : b));
  const fits: Fit[] = [];
  for (const stair of stairs) {
    const fit = fitStaircase(stair, lo, hi);
    if (fit === undefined) return undefined;
    fits.push(stair.falls ? { ...fit, m: -fit.m } : fit);
  }
  const aligned = align(
    fits,
    stairs.map(({ from, to, falls }): CodeInterval => (falls ? [-to, -from] : [from, to])),
  );
  return aligned && { kind: "scale", ...place, ...aligned, rounding: "TRN", lo, hi, offset: 0n };
}

/**
 * The least multiplier for which an addend exists. With y = (u * m + a) >> n, the step to y stands at threshold
 * t exactly where y * 2^n - m * t <= a < y * 2^n - m * (t - 1). All steps together leave an interval for a,
 * or none. `lo` and `hi` bound all channels: at an end that they do not cut, the next step must stay outside.
 */
function fitStaircase(
  { base, thresholds, slope, from, to }: Staircase,
  lo: bigint,
  hi: bigint,
): Fit | undefined {
  const count = thresholds.length;
  if (count === 0) return { m: 0n, a: base, shift: 0 };
  const top = base + BigInt(count);
  // The ends first: a wrong slope fails there.
  const order = [0, count - 1, ...Array.from({ length: Math.max(0, count - 2) }, (_, i) => i + 1)];
  for (let shift = 0; shift <= 60; shift++) {
    const by = BigInt(shift);
    const below = (slope.num << by) / slope.den;
    if (below >> BigInt(multiplierBits) > 0n) return undefined;
    for (const m of [below, below + 1n]) {
      const room = addends(base, thresholds, order, m, by);
      if (room === undefined) continue;
      const least = (base << by) - m * from;
      const most = ((top + 1n) << by) - 1n - m * to;
      const low = base > lo && least > room[0] ? least : room[0];
      const high = top < hi && most < room[1] ? most : room[1];
      if (low <= high) return { m, a: roundest(low, high), shift };
    }
  }
  return undefined;
}

/** The addends that put every step in its place. */
function addends(
  base: bigint,
  thresholds: readonly bigint[],
  order: readonly number[],
  m: bigint,
  shift: bigint,
): readonly [bigint, bigint] | undefined {
  let low: bigint | undefined;
  let high: bigint | undefined;
  for (const k of order) {
    const least = ((base + BigInt(k) + 1n) << shift) - m * thresholds[k];
    const most = least + m - 1n;
    if (low === undefined || least > low) low = least;
    if (high === undefined || most < high) high = most;
    if (low > high) return undefined;
  }
  return low === undefined || high === undefined ? undefined : [low, high];
}

/** The number between two with the most zeros at its end: the cheapest to add. */
function roundest(low: bigint, high: bigint): bigint {
  if (low <= 0n && high >= 0n) return 0n;
  for (let zeros = 62n; ; zeros--) {
    const up = ((low + (1n << zeros) - 1n) >> zeros) << zeros;
    if (up <= high) return up;
  }
}

/** All channels at one shift; nothing where sums would not fit, or a number no double. */
function align(
  fits: readonly Fit[],
  intervals: readonly CodeInterval[],
): Pick<ScaleKernel, "m" | "a" | "shift"> | undefined {
  const shift = Math.max(...fits.map((fit) => fit.shift));
  const m = new Float64Array(fits.length);
  const a = new Float64Array(fits.length);
  for (const [c, fit] of fits.entries()) {
    const by = BigInt(shift - fit.shift);
    const [factor, addend] = [fit.m << by, fit.a << by];
    const sum = magnitude(factor) * reach(intervals[c]) + magnitude(addend);
    if (sum >> sumBits > 0n) return undefined;
    [m[c], a[c]] = [Number(factor), Number(addend)];
    if (BigInt(m[c]) !== factor || BigInt(a[c]) !== addend) return undefined;
    if (magnitude(factor) >> 53n > 0n) return undefined;
  }
  return { m, a, shift };
}

/** The steps themselves. */
export function thresholdKernel(stairs: readonly Staircase[], place: Channels): Kernel {
  const count = Math.max(...stairs.map(({ thresholds }) => thresholds.length));
  if (stairs.some(({ from, to }) => reach([from, to]) >> sumBits > 0n)) {
    fail("N2F_FORMAT_RANGE", "what is quantized needs more than 63 bits", {
      hint: "Quantize the values that enter here more coarsely.",
    });
  }
  const top = stairs.reduce((most, { to }) => (to > most ? to : most), stairs[0].to);
  const thresholds = new BigInt64Array(count * stairs.length).fill(top + 1n);
  stairs.forEach((stair, c) => {
    stair.thresholds.forEach((threshold, k) => {
      thresholds[c * count + k] = threshold;
    });
  });
  return {
    kind: "threshold",
    ...place,
    thresholds,
    count,
    base: Float64Array.from(stairs, ({ base }) => Number(base)),
    falls: stairs.map(({ falls }) => falls),
  };
}
