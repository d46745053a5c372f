import { assert } from "../base/index.ts";
import { bitsFor, type Format, makeFormat, maxCode, minCode } from "../fixed/index.ts";

type Bounds = Float64Array | BigInt64Array;

/**
 * The intervals in which the codes of a tensor lie, ends included. They repeat with a period along the
 * elements in row-major order: 1 where one interval stands for all, the number of columns where each
 * column of the last axis has its own, the number of elements where each element has. Codes fit a signed
 * 64-bit word; up to 2^53 they are kept as doubles.
 */
export class Ranges {
  readonly #lo: Bounds;
  readonly #hi: Bounds;

  private constructor(lo: Bounds, hi: Bounds) {
    this.#lo = lo;
    this.#hi = hi;
  }

  /** The same interval for every element. */
  static all(lo: bigint, hi: bigint): Ranges {
    assert(lo <= hi, `empty interval ${lo}..${hi}`);
    checkWord(lo, hi);
    return isSafe(lo) && isSafe(hi)
      ? new Ranges(Float64Array.of(Number(lo)), Float64Array.of(Number(hi)))
      : new Ranges(BigInt64Array.of(lo), BigInt64Array.of(hi));
  }

  /** Every code of a format. */
  static ofFormat(format: Format): Ranges {
    return Ranges.all(minCode(format), maxCode(format));
  }

  /**
   * An interval for each of the first `period` elements, asked for by its index; further ones repeat
   * them. Collapses where all are the same.
   * @throws N2F_FORMAT_RANGE where a code does not fit a signed 64-bit word
   */
  static each(period: number, interval: (index: number) => readonly [bigint, bigint]): Ranges {
    const lo = new BigInt64Array(period);
    const hi = new BigInt64Array(period);
    let [uniform, safe] = [true, true];
    for (let i = 0; i < period; i++) {
      const [low, high] = interval(i);
      checkWord(low, high);
      lo[i] = low;
      hi[i] = high;
      if (low !== lo[0] || high !== hi[0]) uniform = false;
      if (!isSafe(low) || !isSafe(high)) safe = false;
    }
    if (uniform && period > 0) return Ranges.all(lo[0], hi[0]);
    return safe
      ? new Ranges(Float64Array.from(lo, Number), Float64Array.from(hi, Number))
      : new Ranges(lo, hi);
  }

  /**
   * The same from integers of at most 53 bits; the arrays are kept and must not change. Equal arrays may
   * be one.
   */
  static ofNumbers(lo: Float64Array, hi: Float64Array): Ranges {
    const isUniform = lo.every((x) => x === lo[0]) && (lo === hi || hi.every((x) => x === hi[0]));
    return isUniform && lo.length > 1
      ? new Ranges(lo.slice(0, 1), hi.slice(0, 1))
      : new Ranges(lo, hi);
  }

  /** Elements after which the intervals repeat. */
  get period(): number {
    return this.#lo.length;
  }

  get isUniform(): boolean {
    return this.#lo.length === 1;
  }

  lo(index: number): bigint {
    return BigInt(this.#lo[index % this.#lo.length]);
  }

  hi(index: number): bigint {
    return BigInt(this.#hi[index % this.#hi.length]);
  }

  /** One period of the bounds, where all are integers of at most 53 bits. */
  numbers(): { readonly lo: Float64Array; readonly hi: Float64Array } | undefined {
    const [lo, hi] = [this.#lo, this.#hi];
    return lo instanceof Float64Array && hi instanceof Float64Array ? { lo, hi } : undefined;
  }

  /** The ranges of a function that is applied to each element alike. */
  map(interval: (lo: bigint, hi: bigint) => readonly [bigint, bigint]): Ranges {
    return Ranges.each(this.period, (i) => interval(this.lo(i), this.hi(i)));
  }

  /** The least interval that holds all elements. */
  hull(): readonly [bigint, bigint] {
    return [BigInt(extreme(this.#lo, -1)), BigInt(extreme(this.#hi, 1))];
  }

  /** The least interval for each column of the last axis, for a tensor of `size` elements. */
  byColumn(columns: number, size: number): Ranges {
    const { period } = this;
    if (columns % period === 0 || size === 0) return this;
    const lo = Array.from({ length: columns }, (_, i) => this.lo(i));
    const hi = Array.from({ length: columns }, (_, i) => this.hi(i));
    // The intervals of a column repeat with the least common multiple of period and columns.
    for (let i = columns; i < Math.min(size, columns * period); i++) {
      const [column, low, high] = [i % columns, this.lo(i), this.hi(i)];
      if (low < lo[column]) lo[column] = low;
      if (high > hi[column]) hi[column] = high;
    }
    return Ranges.each(columns, (i) => [lo[i], hi[i]]);
  }

  /**
   * The narrowest format for all elements.
   * @throws N2F_FORMAT_RANGE where more than 64 bits would be needed
   */
  format(frac: number, at?: string): Format {
    const { signed, width } = bitsFor(...this.hull());
    return makeFormat(signed, width, frac, at);
  }
}

const mostSafe = BigInt(Number.MAX_SAFE_INTEGER);

function isSafe(code: bigint): boolean {
  return code <= mostSafe && code >= -mostSafe;
}

function extreme(bounds: Bounds, sign: 1 | -1): number | bigint {
  let best: number | bigint = bounds[0];
  for (const x of bounds) if (sign > 0 ? x > best : x < best) best = x;
  return best;
}

/** An array of 64-bit words would keep only the low bits, and the interval would be wrong. */
function checkWord(lo: bigint, hi: bigint): void {
  if (BigInt.asIntN(64, lo) === lo && BigInt.asIntN(64, hi) === hi) return;
  const { signed, width } = bitsFor(lo, hi);
  makeFormat(signed, width, 0);
}
