import fc from "fast-check";
import { type Format, maxCode, minCode } from "../../src/fixed/index.ts";
import { Ranges } from "../../src/ir/index.ts";

/** An interval of codes of a format; often all of them, sometimes a single one. */
export function arbitraryInterval(format: Format): fc.Arbitrary<readonly [bigint, bigint]> {
  const [min, max] = [minCode(format), maxCode(format)];
  const code = fc.bigInt({ min, max });
  return fc.oneof(
    fc.constant([min, max] as const),
    fc.tuple(code, code).map(([a, b]) => (a < b ? ([a, b] as const) : ([b, a] as const))),
  );
}

/** Intervals within a format for `size` elements: one for all, or one for each. */
export function arbitraryRanges(format: Format, size: number): fc.Arbitrary<Ranges> {
  const interval = arbitraryInterval(format);
  return fc.oneof(
    interval.map(([lo, hi]) => Ranges.all(lo, hi)),
    fc
      .array(interval, { minLength: size, maxLength: size })
      .map((list) => Ranges.each(size, (i) => list[i])),
  );
}

/** Codes of `size` elements, each in its interval and often at an end of it. */
export function arbitraryCodes(ranges: Ranges, size: number): fc.Arbitrary<readonly bigint[]> {
  const codes = Array.from({ length: size }, (_, i) => {
    const [min, max] = [ranges.lo(i), ranges.hi(i)];
    return fc.oneof(fc.constantFrom(min, max), fc.bigInt({ min, max }));
  });
  return fc.tuple(...codes);
}
