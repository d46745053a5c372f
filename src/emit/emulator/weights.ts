import { fitsSigned, type Interval } from "./interval.ts";
import type { Product } from "./product.ts";

/**
 * The constant side of a product as a set of matrices [column][k]: rows that read the same matrix share
 * one.
 */
export interface Weights {
  /** Which matrix each row of the product meets. */
  readonly block: Int32Array;
  readonly blocks: number;
  readonly columns: number;
  readonly depth: number;
  at(block: number, column: number, k: number): number;
}

export function readWeights(product: Product, codes: Float64Array): Weights {
  const { otherRow, otherColumnStride, otherDepthStride, columns, depth } = product;
  const starts = [...new Set(otherRow)];
  const number = new Map(starts.map((start, block) => [start, block]));
  return {
    block: otherRow.map((start) => number.get(start) as number),
    blocks: starts.length,
    columns,
    depth,
    at: (block, column, k) =>
      codes[starts[block] + column * otherColumnStride + k * otherDepthStride],
  };
}

/** Least and greatest weight. */
export function weightInterval(weights: Weights): Interval {
  let [lo, hi] = [0, 0];
  const { blocks, columns, depth } = weights;
  for (let block = 0; block < blocks; block++) {
    for (let column = 0; column < columns; column++) {
      for (let k = 0; k < depth; k++) {
        const w = weights.at(block, column, k);
        if (w < lo) lo = w;
        if (w > hi) hi = w;
      }
    }
  }
  return { lo: BigInt(lo), hi: BigInt(hi) };
}

/** How a product uses `i32x4.dot_i16x8_s`, which adds two products of 16-bit factors. */
export interface DotPlan {
  /** Taken off every code of the value so that it fits 16 bits; the sums are corrected for it. */
  readonly offset: number;
  /**
   * Low bits of each weight that make up a column of their own: out = (high << split) + low. Zero where
   * weights are used whole.
   */
  readonly split: number;
  /** Pairs of k after which 32-bit sums are added up in 64 bits; all, where 32 bits hold the result. */
  readonly chunkPairs: number;
  readonly chunks: number;
  /** Turns of the innermost loop for each chunk, and pairs of each turn; the last may be padding. */
  readonly turns: number;
  readonly unroll: number;
}

/** Pairs of one row of weights, the padding included. */
export function paddedPairs({ chunks, turns, unroll }: DotPlan): number {
  return chunks * turns * unroll;
}

/** Pairs of the value that code may read, the padding included. */
export function scratchPairs({ chunks, chunkPairs, turns, unroll }: DotPlan): number {
  return (chunks - 1) * chunkPairs + turns * unroll;
}

/** Corrections of each column's sum for the offset: [block][column]. */
export function offsetCorrection(weights: Weights, offset: number): Float64Array {
  const { blocks, columns, depth } = weights;
  return Float64Array.from({ length: blocks * columns }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += weights.at(Math.floor(i / columns), i % columns, k);
    return sum * offset;
  });
}

/** The turns of a loop over pairs that wastes least, the longest ones of equals. */
function unrollLoop(pairs: number): { turns: number; unroll: number } {
  if (pairs <= 6) return { turns: 1, unroll: pairs };
  const options = [6, 5, 4, 3, 2].map((unroll) => ({ turns: Math.ceil(pairs / unroll), unroll }));
  return options.reduce((a, b) => (b.turns * b.unroll < a.turns * a.unroll ? b : a));
}

const least16 = -32768n;
const most16 = 32767n;
const int32 = 2 ** 31;

/**
 * Whether and how 16-bit products can do. `result` holds every sum, the correction for the offset
 * included.
 *
 * A sum of 32 bits is right modulo 2^32, so where the result fits nothing in between matters. A result
 * of 64 bits is put together from partial sums that must each fit, which is proven here from the
 * interval of the value and the weights themselves.
 */
export function planDot(weights: Weights, x: Interval, resultLane: 32 | 64): DotPlan | undefined {
  if (!fitsSigned(x, 32) || x.hi - x.lo > most16 - least16) return undefined;
  const offset = fitsSigned(x, 16) ? 0n : x.lo - least16;
  const range = { lo: Number(x.lo - offset), hi: Number(x.hi - offset) };
  const w = weightInterval(weights);
  const reach = Math.max(-Number(w.lo), Number(w.hi));
  // The correction for the offset is computed in numbers.
  if (Math.abs(Number(offset)) * reach * weights.depth >= 2 ** 53) return undefined;
  const pairs = Math.ceil(weights.depth / 2);
  const isNarrow = fitsSigned(w, 16);
  const whole = { offset: Number(offset), split: 0 };
  if (resultLane === 32) {
    // A product of one column gains less than what the pairing of its operands costs.
    if (!isNarrow || weights.columns < 2) return undefined;
    return { ...whole, chunkPairs: pairs, chunks: 1, ...unrollLoop(pairs) };
  }
  const candidates: { cost: number; plan: DotPlan }[] = [];
  for (const split of isNarrow ? [0, 8] : [8]) {
    if (w.lo < least16 << BigInt(split) || w.hi > (most16 << BigInt(split)) + 255n) continue;
    for (const chunkPairs of chunkSizes(pairs)) {
      if (!partialSumsFit(weights, range, split, chunkPairs)) continue;
      const chunks = Math.ceil(pairs / chunkPairs);
      // Instructions per vector of samples: multiply and add for each pair, then widen and add.
      const cost = split === 0 ? 2 * pairs + 4 * chunks : 4 * pairs + 7 * chunks;
      candidates.push({
        cost,
        plan: { ...whole, split, chunkPairs, chunks, ...unrollLoop(chunkPairs) },
      });
      break;
    }
  }
  candidates.sort((a, b) => a.cost - b.cost);
  return candidates[0]?.plan;
}

/** Sizes worth trying, greatest first. */
function* chunkSizes(pairs: number): Generator<number> {
  let last = 0;
  for (let parts = 1; last !== 1; parts += Math.max(1, parts >> 2)) {
    const size = Math.ceil(pairs / parts);
    if (size !== last) yield size;
    last = size;
  }
}

/** Whether all sums over one chunk fit a signed 32-bit word, in the high and the low column. */
function partialSumsFit(
  weights: Weights,
  x: { lo: number; hi: number },
  split: number,
  chunkPairs: number,
): boolean {
  const { blocks, columns, depth } = weights;
  const unit = 2 ** split;
  for (let block = 0; block < blocks; block++) {
    for (let column = 0; column < columns; column++) {
      for (let first = 0; first < depth; first += 2 * chunkPairs) {
        const end = Math.min(depth, first + 2 * chunkPairs);
        let [highLo, highHi, lowLo, lowHi] = [0, 0, 0, 0];
        for (let k = first; k < end; k++) {
          const w = weights.at(block, column, k);
          const high = Math.floor(w / unit);
          const low = w - high * unit;
          highLo += high < 0 ? high * x.hi : high * x.lo;
          highHi += high < 0 ? high * x.lo : high * x.hi;
          lowLo += low * x.lo;
          lowHi += low * x.hi;
        }
        if (highLo < -int32 || highHi >= int32 || lowLo < -int32 || lowHi >= int32) return false;
      }
    }
  }
  return true;
}
