import { type Format, maxCode, minCode, type Precision } from "../../src/fixed/index.ts";

/** A finite double as an integer times a power of two. */
function dissect(value: number): { mantissa: bigint; exponent: number } {
  let exponent = 0;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    exponent--;
  }
  return { mantissa: BigInt(scaled), exponent };
}

/**
 * The code of a real number, worked out with integers only and apart from `src/fixed`: the battery holds
 * lossy operators against it.
 */
export function exactCode(real: number, { format, rounding, overflow }: Precision): bigint {
  if (Number.isNaN(real)) return 0n;
  if (!Number.isFinite(real)) return real > 0 ? maxCode(format) : lowEnd(format, overflow);
  const { mantissa, exponent } = dissect(real);
  const shift = exponent + format.frac;
  const [numerator, divisor] =
    shift >= 0 ? [mantissa << BigInt(shift), 1n] : [mantissa, 1n << BigInt(-shift)];
  const rest = ((numerator % divisor) + divisor) % divisor;
  const floor = (numerator - rest) / divisor;
  const isUp = {
    TRN: false,
    RND: 2n * rest >= divisor,
    RND_CONV: 2n * rest > divisor || (2n * rest === divisor && floor % 2n !== 0n),
    TRN_ZERO: numerator < 0n && rest > 0n,
  }[rounding];
  const code = isUp ? floor + 1n : floor;
  if (overflow === "WRAP") {
    const span = 1n << BigInt(format.width);
    const low = minCode(format);
    return ((((code - low) % span) + span) % span) + low;
  }
  const low = lowEnd(format, overflow);
  return code < low ? low : code > maxCode(format) ? maxCode(format) : code;
}

function lowEnd(format: Format, overflow: Precision["overflow"]): bigint {
  return overflow === "SAT_SYM" && format.signed ? -maxCode(format) : minCode(format);
}
