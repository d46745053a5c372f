import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signedDigits } from "../../../src/schedule/index.ts";

const sumOf = (digits: ReturnType<typeof signedDigits>): bigint =>
  digits.reduce((sum, { shift, sign }) => sum + (BigInt(sign) << BigInt(shift)), 0n);

describe("signed digits", () => {
  it("stand for their number, none beside another", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (value) => {
        const digits = signedDigits(value);
        expect(sumOf(digits)).toBe(value);
        digits.slice(1).forEach(({ shift }, i) => {
          expect(shift).toBeGreaterThan(digits[i].shift + 1);
        });
      }),
    );
  });

  it("are as few as can be", () => {
    // Fewest terms by trying all sums of signed powers of two, one term more at a time.
    const limit = 512;
    const powers = Array.from({ length: 11 }, (_, shift) => 2 ** shift);
    const fewest = new Map([[0, 0]]);
    for (let terms = 1; terms <= 5; terms++) {
      for (const [sum, least] of [...fewest]) {
        if (least !== terms - 1) continue;
        for (const power of powers) {
          for (const next of [sum + power, sum - power]) {
            if (Math.abs(next) <= 2 * limit && !fewest.has(next)) fewest.set(next, terms);
          }
        }
      }
    }
    for (let value = -limit; value <= limit; value++) {
      expect([value, signedDigits(BigInt(value)).length]).toEqual([value, fewest.get(value)]);
    }
  });
});
