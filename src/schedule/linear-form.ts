/** An interval, both ends included. */
export type Interval = readonly [bigint, bigint];

/**
 * A sum of roots times coefficients, plus a constant. Sums of parts that share roots get their exact
 * interval by it: 4x - x is 3x, and no wider.
 */
export interface LinearForm {
  /** Numbers of the roots, ascending. */
  readonly roots: readonly number[];
  readonly coefficients: readonly bigint[];
  readonly constant: bigint;
}

export function rootForm(root: number): LinearForm {
  return { roots: [root], coefficients: [1n], constant: 0n };
}

export function constantForm(constant: bigint): LinearForm {
  return { roots: [], coefficients: [], constant };
}

/** (a << shiftA) + (b << shiftB), or minus. Roots that cancel are dropped. */
export function addForms(
  a: LinearForm,
  shiftA: number,
  b: LinearForm,
  shiftB: number,
  subtract: boolean,
): LinearForm {
  const [sa, sb] = [BigInt(shiftA), BigInt(shiftB)];
  const ofB = (value: bigint) => (subtract ? -(value << sb) : value << sb);
  const roots: number[] = [];
  const coefficients: bigint[] = [];
  for (let i = 0, j = 0; i < a.roots.length || j < b.roots.length; ) {
    const left = i < a.roots.length ? a.roots[i] : Number.POSITIVE_INFINITY;
    const right = j < b.roots.length ? b.roots[j] : Number.POSITIVE_INFINITY;
    let coefficient = 0n;
    if (left <= right) coefficient += a.coefficients[i++] << sa;
    if (right <= left) coefficient += ofB(b.coefficients[j++]);
    if (coefficient === 0n) continue;
    roots.push(Math.min(left, right));
    coefficients.push(coefficient);
  }
  return { roots, coefficients, constant: (a.constant << sa) + ofB(b.constant) };
}

/** The exact interval of a form whose roots vary independently. */
export function formInterval(form: LinearForm, intervalOf: (root: number) => Interval): Interval {
  let [low, high] = [form.constant, form.constant];
  form.roots.forEach((root, i) => {
    const coefficient = form.coefficients[i];
    const [lo, hi] = intervalOf(root);
    low += coefficient < 0n ? coefficient * hi : coefficient * lo;
    high += coefficient < 0n ? coefficient * lo : coefficient * hi;
  });
  return [low, high];
}
