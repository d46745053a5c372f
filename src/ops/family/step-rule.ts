import {
  divideRatios,
  floorDiv,
  multiplyRatios,
  type Ratio,
  ratioOf,
  roundRatio,
  type StepRounding,
  stepBoundary,
  stepRound,
} from "../../fixed/index.ts";

/**
 * How one channel of a quantized model makes integers of numbers:
 * clamp(round((x * mul + add) / div) + zeroPoint, lo, hi). It never falls, or, for a negative `mul`, never rises.
 */
export interface StepRule {
  readonly mul: number;
  readonly add: number;
  /** Greater than zero. */
  readonly div: number;
  readonly zeroPoint: number;
  readonly lo: number;
  readonly hi: number;
  readonly rounding: StepRounding;
  /** `exact`: over real numbers. `float32`: every step rounded to float32, as a processor has it. */
  readonly arithmetic: "exact" | "float32";
}

/** (a * x + b) / d for a code x; d > 0. */
export interface Linear {
  readonly a: bigint;
  readonly b: bigint;
  readonly d: bigint;
}

/** The rule before it rounds, as a function of codes at a binary point; in lowest terms. */
export function linearOf({ mul, add, div }: StepRule, frac: number): Linear {
  const step: Ratio =
    frac >= 0 ? { num: 1n, den: 1n << BigInt(frac) } : { num: 1n << BigInt(-frac), den: 1n };
  const divisor = ratioOf(div);
  const slope = divideRatios(multiplyRatios(ratioOf(mul), step), divisor);
  const shift = divideRatios(ratioOf(add), divisor);
  const [a, b, d] = [slope.num * shift.den, shift.num * slope.den, slope.den * shift.den];
  const common = gcd(gcd(a, b), d);
  return { a: a / common, b: b / common, d: d / common };
}

function gcd(x: bigint, y: bigint): bigint {
  let [a, b] = [x < 0n ? -x : x, y < 0n ? -y : y];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** What the rule makes of codes at a binary point. */
export function stepFunction(rule: StepRule, frac: number): (code: bigint) => bigint {
  const [lo, hi, zeroPoint] = [rule.lo, rule.hi, rule.zeroPoint].map(BigInt);
  const clamp = (y: bigint) => (y < lo ? lo : y > hi ? hi : y);
  if (rule.arithmetic === "float32") {
    const step = 2 ** -frac;
    return (code) => {
      const rounded = stepRound(float32Steps(Number(code) * step, rule), rule.rounding);
      if (Number.isFinite(rounded)) return clamp(BigInt(rounded) + zeroPoint);
      return rounded > 0 ? hi : lo;
    };
  }
  const { a, b, d } = linearOf(rule, frac);
  return (code) => clamp(roundRatio({ num: a * code + b, den: d }, rule.rounding) + zeroPoint);
}

/** The same for a real number, by double arithmetic (or that of the rule). */
export function stepReal(x: number, rule: StepRule): number {
  const { mul, add, div, zeroPoint, lo, hi, rounding } = rule;
  const scaled = rule.arithmetic === "float32" ? float32Steps(x, rule) : (x * mul + add) / div;
  return Math.max(lo, Math.min(hi, stepRound(scaled, rounding) + zeroPoint)) + 0;
}

function float32Steps(x: number, { mul, add, div }: StepRule): number {
  const factor = Math.fround(Math.fround(x) * mul);
  return Math.fround(Math.fround(factor + add) / div);
}

/**
 * A rule on an interval of codes as steps: the result is `base` at the end where it is least, and one more
 * for every threshold reached. A falling rule counts along -x.
 */
export interface Staircase {
  readonly base: bigint;
  readonly thresholds: readonly bigint[];
  readonly falls: boolean;
  /** The slope, along x or -x. */
  readonly slope: Ratio;
  /** Ends of the interval, along x or -x. */
  readonly from: bigint;
  readonly to: bigint;
}

/** The steps of a rule between two codes; there are at most as many as the rule has results. */
export function staircaseOf(rule: StepRule, frac: number, lo: bigint, hi: bigint): Staircase {
  const falls = rule.mul < 0;
  const [from, to] = falls ? [-hi, -lo] : [lo, hi];
  const value = stepFunction(rule, frac);
  const at = (u: bigint) => value(falls ? -u : u);
  const [base, top] = [at(from), at(to)];
  const { a, b, d } = linearOf(rule, frac);
  const rise = falls ? -a : a;
  const first = Array.from({ length: Number(top - base) }, (_, i) => base + BigInt(i) + 1n);
  const thresholds =
    rule.arithmetic === "exact"
      ? first.map((y) => {
          const { twice, isIncluded } = stepBoundary(y - BigInt(rule.zeroPoint), rule.rounding);
          const needed = twice * d - 2n * b;
          return isIncluded ? -floorDiv(-needed, 2n * rise) : floorDiv(needed, 2n * rise) + 1n;
        })
      : first.map((y) => leastReaching(at, y, from, to));
  return { base, thresholds, falls, slope: { num: rise, den: d }, from, to };
}

/** The least u between `from` and `to` with at(u) >= y, by halving; `to` reaches it. */
function leastReaching(at: (u: bigint) => bigint, y: bigint, from: bigint, to: bigint): bigint {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >> 1n;
    if (at(middle) >= y) high = middle;
    else low = middle + 1n;
  }
  return low;
}
