import type { NetBuilder, Wire } from "../design/index.ts";

/** sign * (wire << shift), one part of a sum. */
export interface Term {
  readonly wire: Wire;
  readonly shift: number;
  readonly sign: 1 | -1;
}

interface Part extends Term {
  readonly level: number;
  /** Interval of wire (not shifted, not negated), narrower than the wire's own where more is known. */
  readonly lo: bigint;
  readonly hi: bigint;
}

/**
 * Adds terms up in a tree: always the two that are ready first, narrow ones before wide ones, so that the
 * tree is no deeper than it must be and its wide adders are few. Negation waits for the end, where a
 * subtraction mostly absorbs it.
 *
 * The terms must be independent of one another, so that intervals of sums are sums of intervals.
 */
export function sumTerms(build: NetBuilder, terms: readonly Term[]): Wire {
  if (terms.length === 0) return build.constant(0n);
  const queue = new PartQueue();
  for (const term of terms) {
    const { lo, hi } = build.cell(term.wire);
    queue.push({ ...term, level: build.level(term.wire), lo, hi });
  }
  for (;;) {
    const first = queue.pop() as Part;
    const second = queue.pop();
    if (second === undefined) return finish(build, first);
    queue.push(addParts(build, first, second));
  }
}

function addParts(build: NetBuilder, first: Part, second: Part): Part {
  // A difference keeps the sign of its minuend; two negatives make a negative sum.
  const [a, b] = first.sign < second.sign ? [second, first] : [first, second];
  const shift = Math.min(a.shift, b.shift);
  const [shiftA, shiftB] = [a.shift - shift, b.shift - shift];
  const subtract = a.sign !== b.sign;
  const [al, ah] = [a.lo << BigInt(shiftA), a.hi << BigInt(shiftA)];
  const [bl, bh] = [b.lo << BigInt(shiftB), b.hi << BigInt(shiftB)];
  const [lo, hi] = subtract ? [al - bh, ah - bl] : [al + bl, ah + bh];
  const wire = build.add(a.wire, shiftA, b.wire, shiftB, subtract, lo, hi);
  return { wire, shift, sign: a.sign, level: build.level(wire), lo, hi };
}

function finish(build: NetBuilder, part: Part): Wire {
  const shifted = build.shiftLeft(part.wire, part.shift);
  return part.sign < 0 ? build.negate(shifted) : shifted;
}

/** A binary heap of parts: least level first, then least width. */
class PartQueue {
  readonly #heap: Part[] = [];

  push(part: Part): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(part);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(part, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = part;
  }

  pop(): Part | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function isBefore(a: Part, b: Part): boolean {
  if (a.level !== b.level) return a.level < b.level;
  return spanOf(a) < spanOf(b);
}

/** Bits up to which a part reaches: its width and its shift. */
function spanOf({ lo, hi, shift }: Part): number {
  const reach = hi > -lo ? hi : -lo;
  return Math.log2(Number(reach) + 1) + shift;
}
