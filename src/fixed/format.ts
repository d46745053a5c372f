import { fail } from "../base/index.ts";

/**
 * How a real number is written as an integer code: real = code * 2^-frac.
 * `width` counts all bits, the sign included; `frac` may be negative or exceed the width.
 */
export interface Format {
  readonly signed: boolean;
  /** 1 .. 64 bits; an unsigned format has at most 63, so that every code fits a signed 64-bit word. */
  readonly width: number;
  readonly frac: number;
}

/** The widest code: everything on the wire fits a signed 64-bit word. */
export const maxWidthBits = 64;

/** @throws N2F_FORMAT_RANGE where the width is not 1 .. 64 (63 unsigned) */
export function makeFormat(signed: boolean, width: number, frac: number, at?: string): Format {
  const limit = signed ? maxWidthBits : maxWidthBits - 1;
  if (!Number.isInteger(width) || width < 1 || width > limit) {
    fail(
      "N2F_FORMAT_RANGE",
      `${signed ? "a signed" : "an unsigned"} format of ${width} bits was asked for; 1 to ${limit} bits are possible`,
      {
        ...(at !== undefined && { at }),
        hint: "Lower the precision of the values that enter here; products and sums get the width that they need.",
      },
    );
  }
  return { signed, width, frac };
}

/** The least code of a format. */
export function minCode(format: Format): bigint {
  return format.signed ? -(1n << BigInt(format.width - 1)) : 0n;
}

/** The greatest code of a format. */
export function maxCode(format: Format): bigint {
  return (1n << BigInt(format.signed ? format.width - 1 : format.width)) - 1n;
}

/** Bits that a code interval needs, and whether one of them is a sign. Zero alone needs one bit. */
export function bitsFor(lo: bigint, hi: bigint): { signed: boolean; width: number } {
  if (lo >= 0n) return { signed: false, width: Math.max(1, bitLength(hi)) };
  return { signed: true, width: Math.max(bitLength(-lo - 1n), bitLength(hi < 0n ? 0n : hi)) + 1 };
}

/** The narrowest format that holds every code of an interval. */
export function formatFor(lo: bigint, hi: bigint, frac: number, at?: string): Format {
  const { signed, width } = bitsFor(lo, hi);
  return makeFormat(signed, width, frac, at);
}

/** Bits of a non-negative integer: 0 for 0, 1 for 1, 2 for 2 and 3. */
export function bitLength(value: bigint): number {
  if (value > 0x1f_ffff_ffff_ffffn) return value.toString(2).length;
  const n = Number(value);
  return n < 2 ** 32 ? 32 - Math.clz32(n) : 64 - Math.clz32(n / 2 ** 32);
}

/** hls4ml's notation: `fixed<16,6>` has 16 bits, 6 of them (the sign included) above the point. */
export function formatText(format: Format): string {
  return `${format.signed ? "" : "u"}fixed<${format.width},${format.width - format.frac}>`;
}

/** The real number that a code stands for. Exact while the code has at most 53 bits. */
export function codeToReal(code: bigint | number, format: Format): number {
  return Number(code) * 2 ** -format.frac;
}

/** Bytes in which one code travels between host and kernel: 1, 2, 4 or 8. */
export function containerBytes(format: Format): 1 | 2 | 4 | 8 {
  if (format.width <= 8) return 1;
  if (format.width <= 16) return 2;
  return format.width <= 32 ? 4 : 8;
}
