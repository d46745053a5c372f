/** One digit of a number: sign * 2^shift. */
export interface Digit {
  readonly shift: number;
  readonly sign: 1 | -1;
}

/**
 * The canonical signed digits of an integer, lowest first: no two neighbours are both non-zero, and no
 * writing as a sum of signed powers of two has fewer terms.
 *
 * @see Reitwiesner, "Binary Arithmetic", Advances in Computers 1 (1960)
 */
export function signedDigits(value: bigint): Digit[] {
  const digits: Digit[] = [];
  let rest = value;
  for (let shift = 0; rest !== 0n; shift++) {
    if (rest & 1n) {
      // The last two bits decide: ...01 is +1 here, ...11 is -1 here and a carry.
      const sign = (rest & 3n) === 3n ? -1 : 1;
      digits.push({ shift, sign });
      rest -= BigInt(sign);
    }
    rest >>= 1n;
  }
  return digits;
}
