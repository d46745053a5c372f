import { assert } from "../../base/index.ts";
import { type QuantArg, Ranges } from "../../ir/index.ts";

/** Rows and columns that the innermost loops of a product keep in registers. */
const tile = 4;

/** A block of weights `[k, n]` that stands from `first` on, row after row. */
export interface WeightBlock {
  readonly data: Float64Array;
  readonly first: number;
  readonly k: number;
  readonly n: number;
}

/**
 * out[outFirst + r * outStride + c] = start[c] + sum over i of a[r * k + i] * w[i, c] for all rows r and
 * columns c, over real numbers.
 *
 * @param a `rows` rows of `k` numbers, from `aFirst` on
 */
export function multiplyRows(
  a: Float64Array,
  aFirst: number,
  rows: number,
  weights: WeightBlock,
  start: Float64Array,
  out: Float64Array,
  outFirst: number,
  outStride: number,
): void {
  const { data, first, k, n } = weights;
  const tiled = rows - (rows % tile);
  if (tiled > 0) {
    // Four columns side by side, so that the inner loop reads one run of memory.
    const packed = new Float64Array(tile * k);
    for (let c = 0; c < n; c += tile) {
      const width = Math.min(tile, n - c);
      if (width < tile) packed.fill(0);
      for (let i = 0, from = first + c, to = 0; i < k; i++, from += n, to += tile) {
        for (let j = 0; j < width; j++) packed[to + j] = data[from + j];
      }
      for (let r = 0; r < tiled; r += tile) {
        const at = outFirst + r * outStride + c;
        multiplyTile(a, aFirst + r * k, k, packed, start, c, width, out, at, outStride);
      }
    }
  }
  for (let r = tiled; r < rows; r++) {
    const to = outFirst + r * outStride;
    for (let c = 0; c < n; c++) out[to + c] = start[c];
    for (let i = 0, from = first, x = aFirst + r * k; i < k; i++, from += n) {
      const factor = a[x + i];
      for (let c = 0; c < n; c++) out[to + c] += factor * data[from + c];
    }
  }
}

/** Four rows by four columns. */
function multiplyTile(
  a: Float64Array,
  first: number,
  k: number,
  packed: Float64Array,
  start: Float64Array,
  column: number,
  width: number,
  out: Float64Array,
  at: number,
  outStride: number,
): void {
  let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
  let [s20, s21, s22, s23, s30, s31, s32, s33] = [0, 0, 0, 0, 0, 0, 0, 0];
  const [r1, r2, r3] = [first + k, first + 2 * k, first + 3 * k];
  for (let i = 0, w = 0; i < k; i++, w += 4) {
    const [w0, w1, w2, w3] = [packed[w], packed[w + 1], packed[w + 2], packed[w + 3]];
    const a0 = a[first + i];
    s00 += a0 * w0;
    s01 += a0 * w1;
    s02 += a0 * w2;
    s03 += a0 * w3;
    const a1 = a[r1 + i];
    s10 += a1 * w0;
    s11 += a1 * w1;
    s12 += a1 * w2;
    s13 += a1 * w3;
    const a2 = a[r2 + i];
    s20 += a2 * w0;
    s21 += a2 * w1;
    s22 += a2 * w2;
    s23 += a2 * w3;
    const a3 = a[r3 + i];
    s30 += a3 * w0;
    s31 += a3 * w1;
    s32 += a3 * w2;
    s33 += a3 * w3;
  }
  const sums = [s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33];
  for (let r = 0; r < tile; r++) {
    for (let c = 0; c < width; c++) {
      out[at + r * outStride + c] = start[column + c] + sums[r * tile + c];
    }
  }
}

/**
 * Codes as doubles, where sums of `k` products on top of `begin` stay below 2^53 in every order: there
 * double arithmetic is exact, and many times as fast as bigints.
 */
export function exactNumbers(
  x: readonly bigint[],
  w: readonly bigint[],
  begin: readonly bigint[],
  k: number,
): { x: Float64Array; w: Float64Array; begin: Float64Array } | undefined {
  const numbers = { x: numbersOf(x), w: numbersOf(w), begin: numbersOf(begin) };
  const reach = largest(numbers.begin) + k * largest(numbers.x) * largest(numbers.w);
  // Half of the limit: what `reach` itself is rounded by does not matter then.
  return reach < 2 ** 52 ? numbers : undefined;
}

function numbersOf(codes: readonly bigint[]): Float64Array {
  const numbers = new Float64Array(codes.length);
  for (let i = 0; i < codes.length; i++) numbers[i] = Number(codes[i]);
  return numbers;
}

function largest(numbers: Float64Array): number {
  return numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

/**
 * Left shift that brings the bias to the binary point of the products. Whoever quantizes the network
 * gives the bias no finer point than that.
 */
export function biasShift(args: readonly QuantArg[]): number {
  const shift = args[0].quant.format.frac + args[1].quant.format.frac - args[2].quant.format.frac;
  assert(shift >= 0, `the bias of a product has ${-shift} bits below the point of the products`);
  return shift;
}

/** Adds the bias to the intervals of sums; its column c belongs to the columns c + multiples of `columns`. */
export function addBias(sums: Ranges, args: readonly QuantArg[], columns: number): Ranges {
  const bias = args[2];
  if (bias === undefined) return sums;
  const shift = BigInt(biasShift(args));
  const period = columns % sums.period === 0 ? columns : sums.period;
  return Ranges.each(period, (i) => [
    sums.lo(i) + (bias.quant.ranges.lo(i % columns) << shift),
    sums.hi(i) + (bias.quant.ranges.hi(i % columns) << shift),
  ]);
}

/**
 * The interval of each column's sum of x[i] * w[i, column], where x[i] has one interval for all rows of
 * the result: those of the columns of one weight block.
 *
 * @param x the interval of the factor that meets row i of the weights
 */
export function columnSums(
  x: (i: number) => readonly [bigint, bigint],
  w: QuantArg,
  block: Omit<WeightBlock, "data">,
): readonly (readonly [bigint, bigint])[] {
  return constantSums(x, w, block) ?? exactSums(x, w, block);
}

/** In numbers, where the weights are constant and the sums stay below 2^53. */
function constantSums(
  x: (i: number) => readonly [bigint, bigint],
  w: QuantArg,
  { first, k, n }: Omit<WeightBlock, "data">,
): (readonly [bigint, bigint])[] | undefined {
  const weights = w.data?.data;
  if (weights === undefined) return undefined;
  const [least, most, reach] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  for (let i = 0, at = first; i < k; i++, at += n) {
    const [lo, hi] = x(i).map(Number);
    const top = Math.max(Math.abs(lo), Math.abs(hi));
    for (let c = 0; c < n; c++) {
      const weight = weights[at + c];
      least[c] += weight * (weight < 0 ? hi : lo);
      most[c] += weight * (weight < 0 ? lo : hi);
      reach[c] += Math.abs(weight) * top;
    }
  }
  if (reach.some((top) => top >= 2 ** 53)) return undefined;
  return Array.from(least, (lo, c) => [BigInt(lo), BigInt(most[c])] as const);
}

function exactSums(
  x: (i: number) => readonly [bigint, bigint],
  w: QuantArg,
  { first, k, n }: Omit<WeightBlock, "data">,
): (readonly [bigint, bigint])[] {
  const { ranges } = w.quant;
  return Array.from({ length: n }, (_, c) => {
    let [least, most] = [0n, 0n];
    for (let i = 0, at = first + c; i < k; i++, at += n) {
      const [lo, hi] = x(i);
      const [wl, wh] = [ranges.lo(at), ranges.hi(at)];
      const corners = [lo * wl, lo * wh, hi * wl, hi * wh];
      least += corners.reduce((a, b) => (a < b ? a : b));
      most += corners.reduce((a, b) => (a > b ? a : b));
    }
    return [least, most];
  });
}
