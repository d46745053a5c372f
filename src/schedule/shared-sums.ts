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
/** Variables of one block: what a pair's key has room for. */
const blockVariables = 4096;

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
  const blockInputs = Math.min(Math.ceil(inputs / blocks), blockVariables / 2);
  const shared: SharedSum[] = [];
  const outputs: VariableTerm[][] = weights.map(() => []);
  for (let first = 0; first < inputs; first += blockInputs) {
    const last = Math.min(inputs, first + blockInputs);
    const rows = digits.map((row) => {
      const terms = new Row();
      for (let input = first; input < last; input++) {
        for (const { shift, sign } of row[input]) terms.add(input - first, shift, sign);
      }
      return terms;
    });
    const search = new PairSearch(rows, last - first);
    search.run();
    // Variables of the block are its inputs, then its sums; those of the plan all inputs, then all sums.
    const before = shared.length;
    const global = (local: number) =>
      local < last - first ? local + first : inputs + before + local - (last - first);
    for (const { a, b, shift, sign } of search.shared) {
      shared.push({ a: global(a), b: global(b), shift, sign });
    }
    rows.forEach((row, i) => {
      for (let k = 0; k < row.length; k++) {
        const { variable, shift, sign } = row.term(k);
        outputs[i].push({ variable: global(variable), shift, sign });
      }
    });
  }
  return { shared, outputs };
}

/** The terms of one output, in no order. A variable occurs at most once with each shift. */
class Row {
  readonly variables: number[] = [];
  readonly shifts: number[] = [];
  readonly signs: (1 | -1)[] = [];

  get length(): number {
    return this.variables.length;
  }

  term(at: number): VariableTerm {
    return { variable: this.variables[at], shift: this.shifts[at], sign: this.signs[at] };
  }

  add(variable: number, shift: number, sign: 1 | -1): void {
    this.variables.push(variable);
    this.shifts.push(shift);
    this.signs.push(sign);
  }

  /** Takes a term out; the last one comes to its place. */
  remove(variable: number, shift: number): void {
    let at = 0;
    while (this.variables[at] !== variable || this.shifts[at] !== shift) at++;
    this.variables[at] = this.variables[this.length - 1];
    this.shifts[at] = this.shifts[this.length - 1];
    this.signs[at] = this.signs[this.length - 1];
    this.variables.pop();
    this.shifts.pop();
    this.signs.pop();
  }

  /** The sign of each shift with which a variable occurs. */
  occurrences(variable: number): Map<number, 1 | -1> {
    const found = new Map<number, 1 | -1>();
    for (let at = 0; at < this.length; at++) {
      if (this.variables[at] === variable) found.set(this.shifts[at], this.signs[at]);
    }
    return found;
  }
}

/** Shifts of two terms differ by less than this; weights have at most 53 bits. */
const shiftReach = 64;

/**
 * A pair of terms up to a common shift and sign, as one 32-bit number (which a hash table takes quickly):
 * variables a <= b, the shift of b against a, and whether their signs differ.
 */
function pairKey(va: number, sa: number, ga: number, vb: number, sb: number, gb: number): number {
  const swap = va > vb || (va === vb && sa > sb);
  const relative = (swap ? sa - sb : sb - sa) + shiftReach;
  const variables = swap ? vb * blockVariables + va : va * blockVariables + vb;
  return (variables << 8) | (relative << 1) | (ga === gb ? 0 : 1);
}

function readPair(key: number): SharedSum {
  const variables = key >>> 8;
  return {
    a: Math.floor(variables / blockVariables),
    b: variables % blockVariables,
    shift: ((key >> 1) & 127) - shiftReach,
    sign: key & 1 ? -1 : 1,
  };
}

class PairSearch {
  readonly shared: SharedSum[] = [];
  readonly #rows: readonly Row[];
  readonly #inputs: number;
  readonly #counts = new Map<number, number>();
  /** Keys by count; entries may be out of date and are checked when they come up. */
  readonly #buckets: number[][] = [];
  /** Rows in which a variable occurs (or has occurred). */
  readonly #rowsOf = new Map<number, Set<Row>>();

  constructor(rows: readonly Row[], inputs: number) {
    this.#rows = rows;
    this.#inputs = inputs;
  }

  run(): void {
    for (const row of this.#rows) {
      for (let at = 0; at < row.length; at++) {
        this.#note(row.variables[at], row);
        this.#countPairs(row, row.variables[at], row.shifts[at], row.signs[at], 1, at);
      }
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
      if (count < this.#buckets.length) this.#buckets.length = count;
    }
  }

  #note(variable: number, row: Row): void {
    const rows = this.#rowsOf.get(variable);
    if (rows === undefined) this.#rowsOf.set(variable, new Set([row]));
    else rows.add(row);
  }

  /** Adds to the counts of all pairs of a term with the first `until` terms of a row. */
  #countPairs(
    row: Row,
    variable: number,
    shift: number,
    sign: number,
    by: 1 | -1,
    until: number,
  ): void {
    const { variables, shifts, signs } = row;
    for (let at = 0; at < until; at++) {
      const key = pairKey(variables[at], shifts[at], signs[at], variable, shift, sign);
      const count = (this.#counts.get(key) ?? 0) + by;
      if (count === 0) this.#counts.delete(key);
      else this.#counts.set(key, count);
      if (by === 1 && this.shared.length > 0) this.#file(key, count);
    }
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

  /** Makes a pair a variable wherever it occurs, where that is at least twice without overlap. */
  #share(key: number): void {
    const pair = readPair(key);
    const places = this.#places(pair);
    const made = this.#inputs + this.shared.length;
    if (places.length < 2 || made >= blockVariables) {
      this.#counts.set(key, Math.min(places.length, 1));
      return;
    }
    this.shared.push(pair);
    for (const { row, shift, sign } of places) {
      this.#take(row, pair.a, shift, sign);
      this.#take(row, pair.b, shift + pair.shift, sign * pair.sign);
      this.#countPairs(row, made, shift, sign, 1, row.length);
      row.add(made, shift, sign);
      this.#note(made, row);
    }
  }

  #take(row: Row, variable: number, shift: number, sign: number): void {
    row.remove(variable, shift);
    this.#countPairs(row, variable, shift, sign, -1, row.length);
  }

  /** Where a pair occurs: the rows, with shift and sign of its first term; no term is used twice. */
  #places({ a, b, shift, sign }: SharedSum): { row: Row; shift: number; sign: 1 | -1 }[] {
    const places: { row: Row; shift: number; sign: 1 | -1 }[] = [];
    const [few, many] = [this.#rowsOf.get(a), this.#rowsOf.get(b)];
    for (const row of few ?? []) {
      if (!many?.has(row)) continue;
      const first = row.occurrences(a);
      const second = a === b ? first : row.occurrences(b);
      if (first.size === 0 || second.size === 0) continue;
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
