import type { NetBuilder, Wire } from "../design/index.ts";
import { type Digit, signedDigits } from "./csd.ts";
import type { Term } from "./sum.ts";

/**
 * wire * constant as a term, by shifts and additions along the constant's signed digits. Odd multiples of
 * one wire are built one upon the other (21x = 16x + 5x) and shared by all who ask for them.
 */
export function constantProduct(build: NetBuilder, wire: Wire, constant: bigint): Term | undefined {
  if (constant === 0n) return undefined;
  const digits = signedDigits(constant);
  const sign = (digits.at(-1) as Digit).sign;
  const shift = digits[0].shift;
  const odd = digits.map((digit) => ({
    shift: digit.shift - shift,
    sign: digit.sign === sign ? 1 : -1,
  })) as Digit[];
  return { wire: oddMultiple(build, wire, odd), shift, sign };
}

/** The multiple whose digits these are; the highest is positive and the lowest stands at zero. */
function oddMultiple(build: NetBuilder, wire: Wire, digits: readonly Digit[]): Wire {
  if (digits.length === 1) return wire;
  const top = digits[digits.length - 1];
  const rest = digits.slice(0, -1);
  const lead = rest[rest.length - 1].sign;
  const lower = oddMultiple(
    build,
    wire,
    rest.map((digit) => ({ shift: digit.shift, sign: (digit.sign * lead) as 1 | -1 })),
  );
  const factor = digits.reduce(
    (sum, digit) => sum + (BigInt(digit.sign) << BigInt(digit.shift)),
    0n,
  );
  const { lo, hi } = build.cell(wire);
  return build.add(wire, top.shift, lower, 0, lead < 0, factor * lo, factor * hi);
}
