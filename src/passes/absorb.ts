import { type StepRounding, stepRound } from "../fixed/index.ts";
import {
  type Attrs,
  type ConstValue,
  constantSide,
  isDense,
  type Value,
  type ValueId,
} from "../ir/index.ts";
import { type Shape, sameShape, sizeOf } from "../tensor/index.ts";

/** Numbers of a `quantize`: each list has one for all, or one for each position along the axis. */
export interface QuantizeNumbers {
  readonly axis: number;
  readonly mul: readonly number[];
  readonly add: readonly number[];
  readonly div: readonly number[];
  readonly zero_point: readonly number[];
  readonly lo: number;
  readonly hi: number;
  readonly rounding: string;
  readonly arithmetic: string;
}

export function readQuantize(attrs: Attrs): QuantizeNumbers {
  return attrs as unknown as QuantizeNumbers;
}

/** A step that a `quantize` has taken upon itself, and what it reads now. */
export interface Absorbed {
  readonly numbers: QuantizeNumbers;
  readonly x: ValueId;
}

/**
 * Takes an affine step with constants into the numbers of the `quantize` that reads it:
 *
 *     round(((x * c) * mul + add) / div) = round((x * (c * mul) + add) / div)
 *     round(((x + c) * mul + add) / div) = round((x * mul + (add + c * mul)) / div)
 *
 * and a rectifier or bounds into its bounds. Nothing for whatever else stands there.
 */
export function absorbStep(
  numbers: QuantizeNumbers,
  inner: Value,
  find: (id: ValueId) => Value,
): Absorbed | undefined {
  if (inner.kind !== "op" || numbers.arithmetic !== "exact") return undefined;
  const { op, args, shape } = inner;
  if (op === "relu") return absorbBounds(numbers, 0, Infinity, args[0]);
  if (op === "clip") {
    const { min, max } = inner.attrs as { readonly min: number; readonly max: number };
    return absorbBounds(numbers, min, max, args[0]);
  }
  if (!["mul", "add", "sub", "div"].includes(op)) return undefined;
  const sides = constantSide(args.map(find));
  // Integers that are added to a product of integers become its bias and cost nothing there.
  const isBias = sides?.constant.dtype === "int" && isDense(sides.other, find);
  if (isBias && (op === "add" || op === "sub")) return undefined;
  if (sides === undefined || !sameShape(sides.other.shape, shape)) return undefined;
  if (!sides.isRight && (op === "sub" || op === "div")) return undefined;
  const along = listAlong(sides.constant, shape);
  if (along === undefined) return undefined;
  const { list } = along;
  const isList = Object.values(numbers).some((own) => Array.isArray(own) && own.length > 1);
  if (isList && list.length > 1 && along.axis !== numbers.axis) return undefined;
  const axis = list.length > 1 ? along.axis : numbers.axis;
  const { mul, add } = numbers;
  const x = sides.other.id;
  if (op === "mul") {
    const divisors = wholeDivisors(list);
    if (divisors !== undefined) return { numbers: divideBy(numbers, axis, divisors), x };
    return { numbers: { ...numbers, axis, mul: zip(mul, list, (m, c) => m * c) }, x };
  }
  if (op === "div") {
    if (list.some((c) => !(c > 0))) return undefined;
    return { numbers: divideBy(numbers, axis, list), x };
  }
  const sign = op === "sub" ? -1 : 1;
  const moved = zip(mul, list, (m, c) => sign * m * c);
  return { numbers: { ...numbers, axis, add: zip(add, moved, (a, b) => a + b) }, x };
}

/** ((x / c) * mul + add) / div = (x * mul + add * c) / (div * c). */
function divideBy(
  numbers: QuantizeNumbers,
  axis: number,
  list: readonly number[],
): QuantizeNumbers {
  const add = zip(numbers.add, list, (a, c) => a * c);
  return { ...numbers, axis, add, div: zip(numbers.div, list, (d, c) => d * c) };
}

/** Lists element by element; one of one number serves all. */
function zip(
  a: readonly number[],
  b: readonly number[],
  join: (x: number, y: number) => number,
): number[] {
  const at = (list: readonly number[], i: number) => list[list.length === 1 ? 0 : i];
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => join(at(a, i), at(b, i)));
}

/** The whole numbers of which these are the reciprocals, as the factors of means are: division is exact. */
function wholeDivisors(list: readonly number[]): number[] | undefined {
  const whole = list.map((c) => Math.round(1 / c));
  const isReciprocal = list.every(
    (c, i) => whole[i] > 1 && whole[i] < 2 ** 20 && c === 1 / whole[i],
  );
  const isDyadic = whole.every((n) => Number.isInteger(Math.log2(n)));
  return isReciprocal && !isDyadic ? whole : undefined;
}

/** A constant as a list along one axis of a shape; one number where it does not vary. */
export function listAlong(
  { shape: own, data: { data } }: ConstValue,
  shape: Shape,
): { readonly axis: number; readonly list: readonly number[] } | undefined {
  if (data.every((value) => value === data[0])) return { axis: 0, list: [data[0]] };
  const behind = shape.length - own.length;
  const axes = own.flatMap((extent, i) => (extent > 1 ? [i + behind] : []));
  if (axes.length !== 1 || sizeOf(own) !== shape[axes[0]]) return undefined;
  return { axis: axes[0], list: Array.from(data) };
}

/** round(bounded x) is the bounded round(x), where one pair of bounds serves all channels. */
function absorbBounds(
  numbers: QuantizeNumbers,
  min: number,
  max: number,
  x: ValueId,
): Absorbed | undefined {
  const { mul, add, div, zero_point: zero, lo, hi, rounding } = numbers;
  if (mul.some((m) => !(m > 0))) return undefined;
  const bound = (real: number): number | undefined => {
    if (!Number.isFinite(real)) return real;
    const scaled = zip(
      zip(mul, add, (m, a) => real * m + a),
      div,
      (v, d) => v / d,
    );
    const codes = zip(scaled, zero, (v, z) => stepRound(v, rounding as StepRounding) + z);
    return codes.every((code) => code === codes[0]) ? codes[0] : undefined;
  };
  const [low, high] = [bound(min), bound(max)];
  if (low === undefined || high === undefined || low > high) return undefined;
  const within = (code: number) => Math.max(lo, Math.min(hi, code));
  return { numbers: { ...numbers, lo: within(low), hi: within(high) }, x };
}
