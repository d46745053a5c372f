/** Integers from lo to hi, both included: what is proven of a code. */
export interface Interval {
  readonly lo: bigint;
  readonly hi: bigint;
}

export function fitsSigned(interval: Interval, bits: number): boolean {
  const end = 1n << BigInt(bits - 1);
  return interval.lo >= -end && interval.hi < end;
}

/** The narrowest lane that holds every code as it is. */
export function laneFor(interval: Interval): 32 | 64 {
  return fitsSigned(interval, 32) ? 32 : 64;
}

export function intersect(a: Interval, b: Interval): Interval {
  const lo = a.lo > b.lo ? a.lo : b.lo;
  const hi = a.hi < b.hi ? a.hi : b.hi;
  // Empty where nothing can reach; either side is then as true as the other.
  return lo <= hi ? { lo, hi } : b;
}

/** The image of an interval under a function that never falls. */
export function mapInterval({ lo, hi }: Interval, rising: (x: bigint) => bigint): Interval {
  return { lo: rising(lo), hi: rising(hi) };
}

/** The least interval around some numbers. */
export function hullOf(values: Iterable<bigint>): Interval {
  let interval: { lo: bigint; hi: bigint } | undefined;
  for (const value of values) {
    if (interval === undefined) interval = { lo: value, hi: value };
    else if (value < interval.lo) interval.lo = value;
    else if (value > interval.hi) interval.hi = value;
  }
  return interval ?? { lo: 0n, hi: 0n };
}
