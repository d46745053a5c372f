/** A 64-bit integer as the protobuf library gives it: a `Long` if the package `long` is there. */
export type Int64 =
  | number
  | { readonly low: number; readonly high: number; readonly unsigned: boolean };

/** A 64-bit integer as a double, if that is exact. */
export function exactNumber(value: Int64): number | undefined {
  const double = typeof value === "number" ? value : highWord(value) * 2 ** 32 + (value.low >>> 0);
  return Number.isSafeInteger(double) ? double : undefined;
}

/** A `Long` keeps its upper word signed even if the number is not. */
function highWord({ high, unsigned }: Exclude<Int64, number>): number {
  return unsigned ? high >>> 0 : high;
}

/** The same without loss, for messages. */
export function exactBigInt(value: Int64): bigint {
  if (typeof value === "number") return BigInt(value);
  const bits = (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
  return value.unsigned ? bits : BigInt.asIntN(64, bits);
}

/**
 * The largest exact double in place of an int64 limit (2^63 - 1, its negative, -2^63), which
 * exporters write where they mean "as far as it goes": the end of a slice, an unbounded count.
 */
export function standInForLimit(value: bigint): number | undefined {
  const limit = 2n ** 63n - 1n;
  if (value === limit) return Number.MAX_SAFE_INTEGER;
  return value === -limit || value === -limit - 1n ? Number.MIN_SAFE_INTEGER : undefined;
}
