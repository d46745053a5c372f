/** A binary floating-point layout narrower than float32: sign, exponent, mantissa, as IEEE 754 has them. */
export interface SmallFloat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
}

export const float16: SmallFloat = { exponentBits: 5, mantissaBits: 10 };
export const bfloat16: SmallFloat = { exponentBits: 8, mantissaBits: 7 };

/** The number behind 16 bits. */
export function fromSmallFloat(bits: number, layout: SmallFloat): number {
  const { exponentBits, mantissaBits } = layout;
  const steps = 2 ** mantissaBits;
  const magnitude = bits % 2 ** (exponentBits + mantissaBits);
  const sign = magnitude === bits ? 1 : -1;
  const exponent = Math.floor(magnitude / steps);
  const mantissa = magnitude % steps;
  if (exponent === 2 ** exponentBits - 1) {
    return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  const isNormal = exponent > 0;
  const significand = isNormal ? steps + mantissa : mantissa;
  const power = Math.max(exponent, 1) + smallestExponent(layout) - 1 - mantissaBits;
  return sign * significand * 2 ** power;
}

/**
 * The nearest 16 bits, ties to even; what is too large becomes infinite. The counterpart of
 * `Math.fround` for storage, not a step of any network: those round in `fixed/`.
 */
export function toSmallFloat(value: number, layout: SmallFloat): number {
  const { exponentBits, mantissaBits } = layout;
  const infinity = (2 ** exponentBits - 1) * 2 ** mantissaBits;
  if (Number.isNaN(value)) return infinity + 2 ** (mantissaBits - 1);
  const sign = value < 0 || Object.is(value, -0) ? 2 ** (exponentBits + mantissaBits) : 0;
  const magnitude = Math.abs(value);
  if (magnitude === 0) return sign;
  if (magnitude === Number.POSITIVE_INFINITY) return sign + infinity;
  const lowest = smallestExponent(layout);
  const exponent = Math.max(exponentOf(magnitude), lowest);
  // A significand that rounds up to the next power of two carries into the exponent by itself.
  const significand = roundHalfEven(magnitude * 2 ** (mantissaBits - exponent));
  const bits = (exponent - lowest) * 2 ** mantissaBits + significand;
  return sign + Math.min(bits, infinity);
}

/** All 2^16 values of a layout, indexed by their bits: whole tensors are decoded by look-up. */
export function smallFloatTable(layout: SmallFloat): Float64Array {
  let table = tables.get(layout);
  if (table === undefined) {
    table = Float64Array.from({ length: 2 ** 16 }, (_, bits) => fromSmallFloat(bits, layout));
    tables.set(layout, table);
  }
  return table;
}

const tables = new Map<SmallFloat, Float64Array>();

/** Exponent of the smallest normal number. */
function smallestExponent(layout: SmallFloat): number {
  return 2 - 2 ** (layout.exponentBits - 1);
}

/** floor(log2(x)), exact where the library's logarithm is off by one. */
function exponentOf(x: number): number {
  const guess = Math.floor(Math.log2(x));
  if (2 ** guess > x) return guess - 1;
  return 2 ** (guess + 1) <= x ? guess + 1 : guess;
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
  return floor + (floor % 2);
}
