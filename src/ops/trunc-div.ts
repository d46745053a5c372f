import { fail } from "../base/index.ts";
import {
  type ArgType,
  definePrimitive,
  type Kernel,
  type KernelStep,
  type KernelWord,
  type Operand,
  type QuantArg,
  Ranges,
} from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";

/**
 * x / y without its fraction, toward zero, as integers divide; 0 where y is 0, which has no quotient. Exact:
 * the restoring division of the schoolbook, one comparison and one subtraction for each bit of the result.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Div.html
 */
export const truncDiv = definePrimitive({
  name: "trunc_div",
  summary: "x / y without its fraction, toward zero; 0 where y is 0.",
  words: ["binary", "clamp", "gather", "scale", "slope"],
  isSequence: true,
  swapTranspose: (perm, attrs) => ({ perm, attrs }),
  type: ([x, y]) => ({ shape: broadcastShapes(x.shape, y.shape), dtype: "int" }),
  float: (args) => {
    const { shape, size, at } = sidesOf(args);
    const data = Float64Array.from({ length: size }, (_, i) =>
      quotientOf(args[0].data[at(0, i)], args[1].data[at(1, i)]),
    );
    return { shape, dtype: "int", data };
  },
  narrow: () => [false, false],
  quant: (args) => {
    const ranges = Ranges.all(...resultInterval(args));
    return { format: ranges.format(0), ranges };
  },
  fixed: ([x, y], quants) => {
    const { size, at } = sidesOf(quants);
    const [sx, sy] = shiftsOf(quants).map(BigInt);
    return Array.from({ length: size }, (_, i) => {
      const divisor = y[at(1, i)] << sy;
      return divisor === 0n ? 0n : (x[at(0, i)] << sx) / divisor;
    });
  },
  kernel: (args) => divisionSteps(args),
});

function quotientOf(x: number, y: number): number {
  return y === 0 ? 0 : Math.trunc(x / y) + 0;
}

function sidesOf(args: readonly ArgType[]) {
  const shape = broadcastShapes(args[0].shape, args[1].shape);
  const maps = args.map((arg) => broadcastIndex(arg.shape, shape));
  return { shape, size: sizeOf(shape), maps, at: (k: number, i: number) => maps[k]?.[i] ?? i };
}

/** What brings both sides to the finer binary point. */
function shiftsOf(args: readonly QuantArg[]): readonly [number, number] {
  const [a, b] = args.map((arg) => arg.quant.format.frac);
  const frac = Math.max(a, b);
  return [frac - a, frac - b];
}

type Interval = readonly [bigint, bigint];

/** Codes of both sides at the finer point. */
function hulls(args: readonly QuantArg[]): readonly [Interval, Interval] {
  const shifts = shiftsOf(args);
  const [x, y] = args.map(({ quant }, k): Interval => {
    const [lo, hi] = quant.ranges.hull();
    return [lo << BigInt(shifts[k]), hi << BigInt(shifts[k])];
  });
  return [x, y];
}

/** Zero, and the quotients of the greatest numbers by the least ones, by their signs. */
function resultInterval(args: readonly QuantArg[]): Interval {
  const [[xlo, xhi], [ylo, yhi]] = hulls(args);
  const ends = [0n];
  if (yhi > 0n) {
    const least = ylo > 1n ? ylo : 1n;
    ends.push(xhi / least, xlo / least);
  }
  if (ylo < 0n) {
    const least = yhi < -1n ? yhi : -1n;
    ends.push(xhi / least, xlo / least);
  }
  return [ends.reduce((a, b) => (a < b ? a : b)), ends.reduce((a, b) => (a > b ? a : b))];
}

const abs = (x: bigint): bigint => (x < 0n ? -x : x);

/** A result on the way: the argument or step that holds it, and its codes. */
interface Value {
  readonly arg: number;
  readonly lo: bigint;
  readonly hi: bigint;
}

function divisionSteps(args: readonly QuantArg[]): Kernel {
  const { size, maps } = sidesOf(args);
  const steps: KernelStep[] = [];
  const push = (kernel: KernelWord, from: readonly number[], lo: bigint, hi: bigint): Value => {
    steps.push({ kernel, args: from, size, lo, hi });
    return { arg: 1 + steps.length, lo, hi };
  };
  /** A word of two sides, the second one shifted. */
  const two = (
    fn: "add" | "sub" | "mul",
    a: Value,
    b: Value,
    shift: number,
    [lo, hi]: Interval,
  ) => {
    const side = (arg: number, by: number): Operand => ({ arg, shift: by });
    const word = { kind: "binary", fn, a: side(0, 0), b: side(1, shift) } as const;
    return push(word, [a.arg, b.arg], lo, hi);
  };
  const clamp = (x: Value, lo: bigint, hi: bigint): Value =>
    x.lo >= lo && x.hi <= hi
      ? x
      : push({ kind: "clamp", lo, hi }, [x.arg], bound(x.lo, lo, hi), bound(x.hi, lo, hi));
  const gathered = (k: number, [lo, hi]: Interval): Value => {
    const index = maps[k];
    const shift = shiftsOf(args)[k];
    let value: Value = { arg: k, lo: lo >> BigInt(shift), hi: hi >> BigInt(shift) };
    if (index !== undefined) value = push({ kind: "gather", index }, [k], value.lo, value.hi);
    if (shift === 0) return value;
    const slope = Float64Array.of(2 ** shift);
    return push({ kind: "slope", slope, shift }, [value.arg], lo, hi);
  };
  const magnitudeOf = (x: Value): Value => {
    if (x.lo >= 0n) return x;
    const most = [x.hi, -x.lo].reduce((a, b) => (a > b ? a : b));
    const word = { kind: "slope", slope: Float64Array.of(-1), shift: 0 } as const;
    return push(word, [x.arg], x.hi < 0n ? -x.hi : 0n, most);
  };

  const [xs, ys] = hulls(args);
  const [x, y] = [gathered(0, xs), gathered(1, ys)];
  const [dividend, divisor] = [magnitudeOf(x), magnitudeOf(y)];
  const least = divisor.lo > 1n ? divisor.lo : 1n;
  const bits = (dividend.hi / least).toString(2).length;
  if (bits > 53) {
    fail("N2F_FORMAT_RANGE", `a quotient of ${bits} bits; up to 53 are possible`, {
      hint: "Divide narrower integers, or set fewer bits for the dividend.",
    });
  }
  let rest = dividend;
  let zeros: Value | undefined;
  for (let bit = bits - 1; bit >= 0; bit--) {
    const by = BigInt(bit);
    // A divisor beyond what is left does not go into it, however far.
    const d = clamp(divisor, 0n, (rest.hi >> by) + 1n);
    const difference: Interval = [rest.lo - (d.hi << by), rest.hi - (d.lo << by)];
    const after = two("sub", rest, d, bit, difference);
    /** -1 where it does not go, 0 where it does. */
    const misses = clamp(after, -1n, 0n);
    const back = two("mul", misses, d, 0, [-d.hi * abs(misses.lo), 0n]);
    const left = (d.hi << by) - 1n;
    const most = left < rest.hi && divisor.lo > 0n && d.hi === divisor.hi ? left : rest.hi;
    rest = two("sub", after, back, bit, [0n, most < 0n ? 0n : most]);
    zeros =
      zeros === undefined
        ? shiftLeft(push, misses, bit)
        : two("add", zeros, misses, bit, [zeros.lo + (misses.lo << by), 0n]);
  }
  const ones = (1n << BigInt(bits)) - 1n;
  const sum = zeros as Value;
  let result = push(
    {
      kind: "scale",
      channels: 1,
      inner: size,
      m: Float64Array.of(1),
      a: Float64Array.of(Number(ones)),
      shift: 0,
      rounding: "TRN",
      lo: 0n,
      hi: ones,
      offset: 0n,
    },
    [sum.arg],
    0n,
    ones,
  );
  if (divisor.lo === 0n) {
    const isThere = clamp(divisor, 0n, 1n);
    result = two("mul", result, isThere, 0, [0n, result.hi]);
  }
  for (const side of [x, y]) {
    if (side.lo >= 0n) continue;
    const isNegative = clamp(side, -1n, 0n);
    const reach = [abs(result.lo), result.hi].reduce((a, b) => (a > b ? a : b));
    const taken = two("mul", result, isNegative, 0, [-reach, reach]);
    result = two("add", result, taken, 1, [-reach, reach]);
  }
  const [lo, hi] = resultInterval(args);
  // What the proof knows and the steps do not: the result's own interval.
  result = clamp(result, lo, hi);
  return { kind: "sequence", steps };
}

type Push = (kernel: KernelWord, from: readonly number[], lo: bigint, hi: bigint) => Value;

function shiftLeft(push: Push, x: Value, by: number): Value {
  if (by === 0) return x;
  const slope = Float64Array.of(2 ** by);
  return push({ kind: "slope", slope, shift: by }, [x.arg], x.lo << BigInt(by), x.hi << BigInt(by));
}

function bound(x: bigint, lo: bigint, hi: bigint): bigint {
  return x < lo ? lo : x > hi ? hi : x;
}
