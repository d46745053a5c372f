import { assert } from "../base/index.ts";
import { bitsFor, type Format, makeFormat, maxCode, minCode } from "../fixed/index.ts";

/**
 * The intervals in which the codes of a tensor lie, ends included: one for all elements, or one for
 * each. Codes fit a signed 64-bit word.
 */
export class Ranges {
  readonly #lo: BigInt64Array;
  readonly #hi: BigInt64Array;

  private constructor(lo: BigInt64Array, hi: BigInt64Array) {
    this.#lo = lo;
    this.#hi = hi;
  }

  /** The same interval for every element. */
  static all(lo: bigint, hi: bigint): Ranges {
    assert(lo <= hi, `empty interval ${lo}..${hi}`);
    checkWord(lo, hi);
    return new Ranges(BigInt64Array.of(lo), BigInt64Array.of(hi));
  }

  /** Every code of a format. */
  static ofFormat(format: Format): Ranges {
    return Ranges.all(minCode(format), maxCode(format));
  }

  /**
   * An interval for each element, asked for by its index. Collapses where all are the same.
   * @throws N2F_FORMAT_RANGE where a code does not fit a signed 64-bit word
   */
  static each(size: number, interval: (index: number) => readonly [bigint, bigint]): Ranges {
    const lo = new BigInt64Array(size);
    const hi = new BigInt64Array(size);
    let uniform = true;
    for (let i = 0; i < size; i++) {
      const [low, high] = interval(i);
      checkWord(low, high);
      lo[i] = low;
      hi[i] = high;
      if (low !== lo[0] || high !== hi[0]) uniform = false;
    }
    if (uniform && size > 0) return Ranges.all(lo[0], hi[0]);
    return new Ranges(lo, hi);
  }

  get isUniform(): boolean {
    return this.#lo.length === 1;
  }

  lo(index: number): bigint {
    return this.#lo.length === 1 ? this.#lo[0] : this.#lo[index];
  }

  hi(index: number): bigint {
    return this.#hi.length === 1 ? this.#hi[0] : this.#hi[index];
  }

  /** The least interval that holds all elements. */
  hull(): readonly [bigint, bigint] {
    let lo = this.#lo[0];
    let hi = this.#hi[0];
    for (const x of this.#lo) if (x < lo) lo = x;
    for (const x of this.#hi) if (x > hi) hi = x;
    return [lo, hi];
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

/** An array of 64-bit words would keep only the low bits, and the interval would be wrong. */
function checkWord(lo: bigint, hi: bigint): void {
  if (BigInt.asIntN(64, lo) === lo && BigInt.asIntN(64, hi) === hi) return;
  const { signed, width } = bitsFor(lo, hi);
  makeFormat(signed, width, 0);
}
