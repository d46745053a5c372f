import { channelOf, type ScaleKernel, type ThresholdKernel } from "../../ir/index.ts";
import { addVecs, clamp, compareVecs, maskBits, multiply, word64 } from "./arithmetic.ts";
import type { Scaled } from "./coefficient.ts";
import { encodeIntegers } from "./data-pool.ts";
import { hullOf, type Interval, laneFor, mapInterval } from "./interval.ts";
import { loadEach } from "./lookup.ts";
import type { Pointwise, PointwiseContext } from "./pointwise.ts";
import type { Node } from "./program.ts";
import { requantizeVec } from "./requantize.ts";
import { constantVec, mapParts, settle, toLane, type Vec } from "./vec.ts";
import { i32x4 } from "./wasm/index.ts";

/** Numbers of a kernel's channels, one for each element. */
function perElement(
  { size }: Node,
  kernel: ScaleKernel | ThresholdKernel,
  numbers: Float64Array,
): Scaled {
  const codes = new Float64Array(size);
  for (let i = 0; i < size; i++) codes[i] = numbers[channelOf(kernel, i)];
  return { codes, shift: 0 };
}

/** x * m + a in lanes that hold it, shifted and bounded. */
export function planScale(node: Node, kernel: ScaleKernel, context: PointwiseContext): Pointwise {
  const { m, a, shift, rounding, lo, hi, offset } = kernel;
  return {
    coefficients: [m, a].map((numbers) => context.coefficient(perElement(node, kernel, numbers))),
    apply: (f, x, [factor, addend]) => {
      const ends = [x.lo * factor.lo, x.lo * factor.hi, x.hi * factor.lo, x.hi * factor.hi];
      const product = hullOf(ends);
      const sum = { lo: product.lo + addend.lo, hi: product.hi + addend.hi };
      const lane = laneFor(hullOf([product.lo, product.hi, sum.lo, sum.hi]));
      const scaled = multiply(f, x, factor, lane, product);
      const moved = addVecs(f, scaled, toLane(f, addend, lane), sum);
      const drop = { shift, rounding, overflow: "SAT", signed: true, width: 64 } as const;
      const bounded = clamp(f, requantizeVec(f, moved, { kind: "requantize", ...drop }), lo, hi);
      if (offset === 0n) return settle(f, bounded, node.interval);
      const result = mapInterval(bounded, (code) => code + offset);
      const wide = laneFor(hullOf([bounded.lo, bounded.hi, result.lo, result.hi, offset]));
      const sides = [toLane(f, bounded, wide), constantVec(offset, wide)] as const;
      return settle(f, addVecs(f, ...sides, result), node.interval);
    },
  };
}

/** Up to this many thresholds each is compared; more are searched by halving. */
const comparedThresholds = 8;

export function planThreshold(
  node: Node,
  kernel: ThresholdKernel,
  context: PointwiseContext,
): Pointwise {
  const signs = Float64Array.from(kernel.falls, (falls) => (falls ? -1 : 1));
  const hasFalling = kernel.falls.includes(true);
  const base = context.coefficient(perElement(node, kernel, kernel.base));
  const sign = hasFalling ? [context.coefficient(perElement(node, kernel, signs))] : [];
  const steps =
    kernel.count <= comparedThresholds && kernel.thresholds.every(isExactNumber)
      ? compareEach(node, kernel, context)
      : searchByHalving(node, kernel, context);
  return {
    coefficients: [base, ...sign, ...steps.coefficients],
    apply: (f, x, [start, ...rest]) => {
      const [factor, own] = hasFalling ? [rest[0], rest.slice(1)] : [undefined, rest];
      const mirrored = hullOf([x.lo, x.hi, -x.lo, -x.hi]);
      const u = factor === undefined ? x : multiply(f, x, factor, laneFor(mirrored), mirrored);
      const count = steps.apply(f, u, own);
      const lane = laneFor(node.interval);
      const sum = addVecs(f, toLane(f, count, lane), toLane(f, start, lane), node.interval);
      return settle(f, sum, node.interval);
    },
  };
}

function compareEach(node: Node, kernel: ThresholdKernel, context: PointwiseContext): Pointwise {
  const coefficients = Array.from({ length: kernel.count }, (_, k) => {
    const numbers = Float64Array.from({ length: kernel.channels }, (__, c) =>
      Number(kernel.thresholds[c * kernel.count + k]),
    );
    return context.coefficient(perElement(node, kernel, numbers));
  });
  return {
    coefficients,
    apply: (f, x, limits) => {
      let count = constantVec(0n, 32);
      for (const limit of limits) {
        const lane = x.lane === 64 || limit.lane === 64 ? 64 : 32;
        const reached = compareVecs(f, "ge", toLane(f, x, lane), toLane(f, limit, lane));
        // All ones is -1.
        const interval = { lo: count.lo, hi: count.hi + 1n };
        count = mapParts(f, [count, toLane(f, reached, 32)], interval, i32x4.sub);
      }
      return count;
    },
  };
}

/** The steps of a channel as a table of 2^p - 1 thresholds, and p comparisons with one of them. */
function searchByHalving(
  node: Node,
  kernel: ThresholdKernel,
  { pool, coefficient }: PointwiseContext,
): Pointwise {
  const levels = Math.ceil(Math.log2(kernel.count + 1));
  const entries = 2 ** levels;
  const hull = hullOf(kernel.thresholds);
  const bytes = laneFor(hull) === 32 ? 4 : 8;
  // What fills up may be reached, but then all others are too.
  const filler = (1n << BigInt(8 * bytes - 1)) - 1n;
  const values = Array.from({ length: kernel.channels * entries }, (_, i) => {
    const [c, k] = [Math.floor(i / entries), i % entries];
    return k < kernel.count ? kernel.thresholds[c * kernel.count + k] : filler;
  });
  const address = pool.add(encodeIntegers(values, values.length, bytes));
  const starts = Float64Array.from(
    { length: kernel.channels },
    (_, c) => address + c * entries * bytes,
  );
  const stored: Interval = bytes === 4 ? { lo: hull.lo, hi: filler } : word64;
  return {
    coefficients: [coefficient(perElement(node, kernel, starts))],
    apply: (f, x, [start]) => {
      const lane = bytes === 4 ? x.lane : 64;
      const wide = toLane(f, x, lane);
      let place: Vec = start;
      for (let half = entries / 2; half >= 1; half /= 2) {
        const limit = loadEach(f, place, (half - 1) * bytes, bytes, stored);
        const reached = toLane(f, compareVecs(f, "ge", wide, toLane(f, limit, lane)), 32);
        const step = BigInt(half * bytes);
        const advance = maskBits(f, reached, step, { lo: 0n, hi: step });
        place = addVecs(f, place, advance, word32);
      }
      const from = mapParts(f, [place, toLane(f, start, 32)], word32, i32x4.sub);
      const by = Math.log2(bytes);
      const all = { lo: 0n, hi: BigInt(entries - 1) };
      const count = mapParts(f, [from], all, (part) => i32x4.shr(part, by));
      return clamp(f, count, 0n, BigInt(kernel.count));
    },
  };
}

const isExactNumber = (code: bigint): boolean => BigInt(Number(code)) === code;

const word32: Interval = { lo: -(1n << 31n), hi: (1n << 31n) - 1n };
