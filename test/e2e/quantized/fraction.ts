/** A rational number; the denominator is positive. */
export interface Fraction {
  readonly n: bigint;
  readonly d: bigint;
}

/** A double, which is an integer over a power of two. */
export function fraction(x: number): Fraction {
  let d = 1n;
  let scaled = x;
  for (; !Number.isInteger(scaled); d *= 2n) scaled *= 2;
  return { n: BigInt(scaled), d };
}

export const plus = (a: Fraction, b: Fraction): Fraction => ({
  n: a.n * b.d + b.n * a.d,
  d: a.d * b.d,
});

/** @param b above zero */
export const over = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.d, d: a.d * b.n });

export const isLess = (a: Fraction, b: Fraction): boolean => a.n * b.d < b.n * a.d;

export const between = (lo: Fraction, x: Fraction, hi: Fraction): Fraction =>
  isLess(x, lo) ? lo : isLess(hi, x) ? hi : x;

function floor({ n, d }: Fraction): bigint {
  return (n - (((n % d) + d) % d)) / d;
}

const negative = ({ n, d }: Fraction): Fraction => ({ n: -n, d });
const half: Fraction = { n: 1n, d: 2n };
const ceil = (x: Fraction): bigint => -floor(negative(x));
/** Of the size alone; the sign comes back. */
const bySize =
  (round: (size: Fraction) => bigint) =>
  (x: Fraction): bigint =>
    x.n < 0n ? -round(negative(x)) : round(x);

/** The rounding modes of QONNX by their names. */
export const roundings: Readonly<Record<string, (x: Fraction) => bigint>> = {
  ROUND: halfEven,
  HALF_EVEN: halfEven,
  FLOOR: floor,
  CEIL: ceil,
  UP: bySize(ceil),
  DOWN: bySize(floor),
  HALF_UP: bySize((x) => floor(plus(x, half))),
  HALF_DOWN: bySize((x) => ceil(plus(x, negative(half)))),
};

function halfEven(x: Fraction): bigint {
  const [low, high] = [ceil(plus(x, negative(half))), floor(plus(x, half))];
  return low === high || low % 2n === 0n ? low : high;
}
