import fc from "fast-check";
import { type Format, overflows, type Precision, roundings } from "../../src/fixed/index.ts";

export interface FormatLimits {
  readonly minWidth?: number;
  readonly maxWidth?: number;
  readonly minFrac?: number;
  readonly maxFrac?: number;
}

/** Formats narrow enough that sums and products of a few codes are exact as doubles. */
export function arbitraryFormat(limits: FormatLimits = {}): fc.Arbitrary<Format> {
  const { minWidth = 1, maxWidth = 20, minFrac = -3, maxFrac = 20 } = limits;
  return fc.record({
    signed: fc.boolean(),
    width: fc.integer({ min: minWidth, max: maxWidth }),
    frac: fc.integer({ min: minFrac, max: maxFrac }),
  });
}

/** A format with every rounding and overflow rule. */
export function arbitraryPrecision(limits: FormatLimits = {}): fc.Arbitrary<Precision> {
  return fc.record({
    format: arbitraryFormat(limits),
    rounding: fc.constantFrom(...roundings),
    overflow: fc.constantFrom(...overflows),
  });
}
