import type { NetBuilder, Wire } from "../design/index.ts";
import { addForms, formInterval, type Interval, type LinearForm, rootForm } from "./linear-form.ts";

/** sign * (wire << shift), one part of a sum. */
export interface Term {
  readonly wire: Wire;
  readonly shift: number;
  readonly sign: 1 | -1;
}

/** A term that knows what it is made of, so that sums of dependent terms get exact intervals. */
export interface FormTerm extends Term {
  readonly form: LinearForm;
}

/** Terms of which no two depend on one another. */
export function sumTerms(build: NetBuilder, terms: readonly Term[]): Wire {
  const forms = terms.map((term) => ({ ...term, form: rootForm(term.wire) }));
  return sumForms(build, forms, (root) => wireInterval(build, root as Wire));
}

export function wireInterval(build: NetBuilder, wire: Wire): Interval {
  const { lo, hi } = build.cell(wire);
  return [lo, hi];
}

interface Part extends FormTerm {
  readonly level: number;
  /** Bits up to which the part reaches: its width and its shift. */
  readonly span: number;
}

/**
 * Adds terms up in a tree: always the two that are ready first, narrow ones before wide ones, so that the
 * tree is no deeper than it must be and its wide adders are few. Negation waits for the end, where a
 * subtraction mostly absorbs it.
 *
 * @param intervalOf the interval of a root of the terms' forms
 */
export function sumForms(
  build: NetBuilder,
  terms: readonly FormTerm[],
  intervalOf: (root: number) => Interval,
): Wire {
  if (terms.length === 0) return build.constant(0n);
  const part = (term: FormTerm): Part => {
    const span = build.cell(term.wire).widthBits + term.shift;
    return { ...term, level: build.level(term.wire), span };
  };
  const queue = new PartQueue();
  for (const term of terms) queue.push(part(term));
  for (;;) {
    const first = queue.pop() as Part;
    const second = queue.pop();
    if (second === undefined) return finish(build, first);
    queue.push(part(addTerms(build, first, second, intervalOf)));
  }
}

/** One adder: the sum of two terms as a term. */
export function addTerms(
  build: NetBuilder,
  first: FormTerm,
  second: FormTerm,
  intervalOf: (root: number) => Interval,
): FormTerm {
  // A difference keeps the sign of its minuend; two negatives make a negative sum.
  const [a, b] = first.sign < second.sign ? [second, first] : [first, second];
  const shift = Math.min(a.shift, b.shift);
  const [shiftA, shiftB] = [a.shift - shift, b.shift - shift];
  const subtract = a.sign !== b.sign;
  const form = addForms(a.form, shiftA, b.form, shiftB, subtract);
  const [lo, hi] = formInterval(form, intervalOf);
  const wire = build.add(a.wire, shiftA, b.wire, shiftB, subtract, lo, hi);
  return { wire, shift, sign: a.sign, form };
}

/** A term as a wire: shifted, and negated where nothing has absorbed the sign. */
export function finish(build: NetBuilder, term: Term): Wire {
  const shifted = build.shiftLeft(term.wire, term.shift);
  return term.sign < 0 ? build.negate(shifted) : shifted;
}

/** A binary heap of parts: least level first, then least span. */
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
  return a.level !== b.level ? a.level < b.level : a.span < b.span;
}
