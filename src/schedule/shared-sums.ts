import { signedDigits } from "./csd.ts";

/** sign * (variable << shift). Variables 0 .. inputs-1 are the inputs, the others are made by additions. */
export interface VariableTerm {
  readonly variable: number;
  readonly shift: number;
  readonly sign: 1 | -1;
}

/** Variable inputs + i is variable a, plus or minus variable b shifted left (or right, where negative). */
export interface SharedSum {
  readonly a: number;
  readonly b: number;
  readonly shift: number;
  readonly sign: 1 | -1;
}

/** How a constant matrix is multiplied by additions: sums that several outputs share, and what is left. */
export interface SumPlan {
  readonly shared: readonly SharedSum[];
  /** For each output the terms to add up. */
  readonly outputs: readonly (readonly VariableTerm[])[];
}

/** Digits of one output, at most, that are searched for pairs together: the search is quadratic in them. */
const blockDigits = 256;

/**
 * Finds sums that are needed more than once: every weight is written in canonical signed digits, so each
 * output is a sum of shifted inputs; the pair of terms (with its relative shift and sign) that occurs most
 * often in all outputs becomes a variable of its own, and so on until no pair occurs twice.
 *
 * Long rows are cut into blocks of inputs that are searched on their own, which keeps the whole linear in
 * the number of weights.
 *
 * @param weights for each output one integer for each input
 * @see Hartley, "Subexpression sharing in filters using canonic signed digit multipliers", IEEE TCAS-II 43 (1996)
 */
export function planSharedSums(weights: readonly (readonly bigint[])[], inputs: number): SumPlan {
  const digits = weights.map((row) => row.map((weight) => signedDigits(weight)));
  const longest = digits.reduce(
    (top, row) =>
      Math.max(
        top,
        row.reduce((sum, list) => sum + list.length, 0),
      ),
    0,
  );
  const blocks = Math.max(1, Math.ceil(longest / blockDigits));
  const blockInputs = Math.ceil(inputs / blocks);
  const shared: SharedSum[] = [];
  const outputs: VariableTerm[][] = weights.map(() => []);
  for (let first = 0; first < inputs; first += blockInputs) {
    const last = Math.min(inputs, first + blockInputs);
    const rows = digits.map((row) => {
      const terms = new Row();
      for (let input = first; input < last; input++) {
        for (const { shift, sign } of row[input]) terms.add(input, shift, sign);
      }
      return terms;
    });
    new PairSearch(rows, inputs, shared).run();
    rows.forEach((row, i) => {
      outputs[i].push(...row.terms());
    });
  }
  return { shared, outputs };
}

/** The terms of one output. A variable occurs at most once with each shift. */
class Row {
  /** variable -> shift -> sign */
  readonly variables = new Map<number, Map<number, 1 | -1>>();

  add(variable: number, shift: number, sign: 1 | -1): void {
    let shifts = this.variables.get(variable);
    if (shifts === undefined) {
      shifts = new Map();
      this.variables.set(variable, shifts);
    }
    shifts.set(shift, sign);
  }

  remove(variable: number, shift: number): void {
    const shifts = this.variables.get(variable);
    shifts?.delete(shift);
    if (shifts?.size === 0) this.variables.delete(variable);
  }

  *terms(): Generator<VariableTerm> {
    for (const [variable, shifts] of this.variables) {
      for (const [shift, sign] of shifts) yield { variable, shift, sign };
    }
  }
}

const shiftRange = 256;
const variableRange = 2 ** 20;

/** A pair of terms up to a common shift and sign, as one number: variables a <= b, b's relative shift and sign. */
function pairKey(a: VariableTerm, b: VariableTerm): number {
  const swap = a.variable > b.variable || (a.variable === b.variable && a.shift > b.shift);
  const [first, second] = swap ? [b, a] : [a, b];
  const relative = second.shift - first.shift + shiftRange / 2;
  const sign = first.sign === second.sign ? 0 : 1;
  return ((first.variable * variableRange + second.variable) * shiftRange + relative) * 2 + sign;
}

function readPair(key: number): SharedSum {
  const sign = key % 2 === 0 ? 1 : -1;
  const rest = Math.floor(key / 2);
  const shift = (rest % shiftRange) - shiftRange / 2;
  const variables = Math.floor(rest / shiftRange);
  return { a: Math.floor(variables / variableRange), b: variables % variableRange, shift, sign };
}

class PairSearch {
  readonly #rows: readonly Row[];
  readonly #inputs: number;
  readonly #shared: SharedSum[];
  readonly #counts = new Map<number, number>();
  /** Keys by count; entries may be out of date and are checked when they come up. */
  readonly #buckets: number[][] = [];
  /** Rows in which a variable occurs (or has occurred). */
  readonly #rowsOf = new Map<number, Set<Row>>();

  constructor(rows: readonly Row[], inputs: number, shared: SharedSum[]) {
    this.#rows = rows;
    this.#inputs = inputs;
    this.#shared = shared;
  }

  run(): void {
    for (const row of this.#rows) {
      const terms = [...row.terms()];
      terms.forEach((term, i) => {
        this.#note(term.variable, row);
        for (let k = 0; k < i; k++) this.#count(pairKey(terms[k], term), 1);
      });
    }
    for (const [key, count] of this.#counts) this.#file(key, count);
    for (let count = this.#buckets.length - 1; count >= 2; count--) {
      const bucket = this.#buckets[count] ?? [];
      for (let key = bucket.pop(); key !== undefined; key = bucket.pop()) {
        const now = this.#counts.get(key) ?? 0;
        if (now === count) this.#share(key);
        else if (now >= 2 && now < count) this.#file(key, now);
        // A share can lift other pairs above the count at hand.
        if (this.#buckets.length - 1 > count) {
          count = this.#buckets.length;
          break;
        }
      }
    }
  }

  #note(variable: number, row: Row): void {
    const rows = this.#rowsOf.get(variable);
    if (rows === undefined) this.#rowsOf.set(variable, new Set([row]));
    else rows.add(row);
  }

  #count(key: number, by: 1 | -1): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
  }

  #file(key: number, count: number): void {
    if (count < 2) return;
    let bucket = this.#buckets[count];
    if (bucket === undefined) {
      bucket = [];
      this.#buckets[count] = bucket;
    }
    bucket.push(key);
  }

  /** Makes a pair a variable wherever it occurs at least twice without overlap. */
  #share(key: number): void {
    const pair = readPair(key);
    const places = this.#places(pair);
    if (places.length < 2) {
      this.#counts.set(key, places.length);
      return;
    }
    const made = this.#inputs + this.#shared.length;
    this.#shared.push(pair);
    const touched = new Set<number>();
    for (const { row, shift, sign } of places) {
      this.#take(row, { variable: pair.a, shift, sign }, touched);
      this.#take(
        row,
        { variable: pair.b, shift: shift + pair.shift, sign: (sign * pair.sign) as 1 | -1 },
        touched,
      );
      const term: VariableTerm = { variable: made, shift, sign };
      for (const other of row.terms()) {
        const grown = pairKey(other, term);
        this.#count(grown, 1);
        touched.add(grown);
      }
      row.add(made, shift, sign);
      this.#note(made, row);
    }
    for (const changed of touched) {
      const count = this.#counts.get(changed) ?? 0;
      if (count === 0) this.#counts.delete(changed);
      else this.#file(changed, count);
    }
  }

  #take(row: Row, term: VariableTerm, touched: Set<number>): void {
    row.remove(term.variable, term.shift);
    for (const other of row.terms()) {
      const shrunk = pairKey(other, term);
      this.#count(shrunk, -1);
      touched.add(shrunk);
    }
  }

  /** Where a pair occurs: the rows, with shift and sign of its first term; no term is used twice. */
  #places({ a, b, shift, sign }: SharedSum): { row: Row; shift: number; sign: 1 | -1 }[] {
    const places: { row: Row; shift: number; sign: 1 | -1 }[] = [];
    const [few, many] = [this.#rowsOf.get(a), this.#rowsOf.get(b)];
    for (const row of few ?? []) {
      if (!many?.has(row)) continue;
      const [first, second] = [row.variables.get(a), row.variables.get(b)];
      if (first === undefined || second === undefined) continue;
      const used = new Set<number>();
      for (const [at, leading] of [...first].sort((x, y) => x[0] - y[0])) {
        const following = second.get(at + shift);
        if (following === undefined || following * leading !== sign) continue;
        if (a === b && (used.has(at) || used.has(at + shift))) continue;
        used.add(at + shift);
        places.push({ row, shift: at, sign: leading });
      }
    }
    return places;
  }
}
