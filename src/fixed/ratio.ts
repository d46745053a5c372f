import { assert, unreachable } from "../base/index.ts";

/** num / den, exact; the denominator is positive. */
export interface Ratio {
  readonly num: bigint;
  readonly den: bigint;
}

/**
 * How a real number becomes an integer: `floor`, `ceil`, `zero` (toward it) and `away` (from it); the others
 * take the nearest and decide the tie: `half_even`, `half_up` (toward plus infinity), `half_away` and
 * `half_zero` (from and toward zero).
 */
export type StepRounding =
  | "floor"
  | "ceil"
  | "zero"
  | "away"
  | "half_even"
  | "half_up"
  | "half_away"
  | "half_zero";

export const stepRoundings = [
  "floor",
  "ceil",
  "zero",
  "away",
  "half_even",
  "half_up",
  "half_away",
  "half_zero",
] as const satisfies StepRounding[];

/** A double is an integer times a power of two: here it is, exactly. */
export function ratioOf(value: number): Ratio {
  assert(Number.isFinite(value), `${value} is no ratio`);
  let [mantissa, halvings] = [value, 0];
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    halvings++;
  }
  return { num: BigInt(mantissa), den: 1n << BigInt(halvings) };
}

export function multiplyRatios(a: Ratio, b: Ratio): Ratio {
  return { num: a.num * b.num, den: a.den * b.den };
}

export function addRatios(a: Ratio, b: Ratio): Ratio {
  return { num: a.num * b.den + b.num * a.den, den: a.den * b.den };
}

/** a / b; the divisor is not zero. */
export function divideRatios(a: Ratio, b: Ratio): Ratio {
  const sign = b.num < 0n ? -1n : 1n;
  return { num: sign * a.num * b.den, den: sign * b.num * a.den };
}

/** Floor of num / den for a positive den. */
export function floorDiv(num: bigint, den: bigint): bigint {
  const quotient = num / den;
  return quotient * den > num ? quotient - 1n : quotient;
}

/** The integer that a rounding makes of a ratio: the greatest one that it has reached. */
export function roundRatio({ num, den }: Ratio, rounding: StepRounding): bigint {
  const nearest = floorDiv(2n * num + den, 2n * den);
  // The boundary of any rounding lies within one step of the nearest integer.
  for (let k = nearest + 1n; ; k--) {
    const { twice, isIncluded } = stepBoundary(k, rounding);
    const distance = 2n * num - twice * den;
    if (distance > 0n || (isIncluded && distance === 0n)) return k;
  }
}

/**
 * Where a rounding arrives at k: from twice / 2 on, that number itself included or not. Every rounding is
 * such a staircase, so whatever is rounded last can be said by its steps.
 */
export function stepBoundary(
  k: bigint,
  rounding: StepRounding,
): { readonly twice: bigint; readonly isIncluded: boolean } {
  const [at, below, half] = [2n * k, 2n * k - 2n, 2n * k - 1n];
  switch (rounding) {
    case "floor":
      return { twice: at, isIncluded: true };
    case "ceil":
      return { twice: below, isIncluded: false };
    case "zero":
      return k > 0n ? { twice: at, isIncluded: true } : { twice: below, isIncluded: false };
    case "away":
      return k > 0n ? { twice: below, isIncluded: false } : { twice: at, isIncluded: true };
    case "half_even":
      return { twice: half, isIncluded: (k & 1n) === 0n };
    case "half_up":
      return { twice: half, isIncluded: true };
    case "half_away":
      return { twice: half, isIncluded: k > 0n };
    case "half_zero":
      return { twice: half, isIncluded: k <= 0n };
    default:
      return unreachable(rounding);
  }
}

/** The same rounding of a double, which stands for itself. */
export function stepRound(value: number, rounding: StepRounding): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  switch (rounding) {
    case "floor":
      return floor;
    case "ceil":
      return Math.ceil(value);
    case "zero":
      return Math.trunc(value);
    case "away":
      return value > 0 ? Math.ceil(value) : floor;
    default:
      if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
      if (rounding === "half_even") return floor % 2 === 0 ? floor : floor + 1;
      if (rounding === "half_up") return floor + 1;
      return value > 0 === (rounding === "half_away") ? floor + 1 : floor;
  }
}
