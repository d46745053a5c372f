import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bfloat16,
  float16,
  fromSmallFloat,
  toSmallFloat,
} from "../../../src/tensor/small-float.ts";

describe.each([
  ["float16", float16],
  ["bfloat16", bfloat16],
] as const)("%s", (_, layout) => {
  test("every number comes back as the same bits", () => {
    const changed = Array.from({ length: 2 ** 16 }, (_, bits) => bits).filter((bits) => {
      const value = fromSmallFloat(bits, layout);
      return !Number.isNaN(value) && toSmallFloat(value, layout) !== bits;
    });
    expect(changed).toEqual([]);
  });

  test("what lies between two neighbours goes to the nearer, or to the even one", () => {
    const largest = 2 ** (layout.exponentBits + layout.mantissaBits) - 2 ** layout.mantissaBits - 2;
    fc.assert(
      fc.property(fc.nat(largest), fc.double({ min: 0, max: 1, noNaN: true }), (bits, part) => {
        const low = fromSmallFloat(bits, layout);
        const high = fromSmallFloat(bits + 1, layout);
        const value = low + part * (high - low);
        const distance = (value - low) / (high - low);
        const nearest = distance === 0.5 ? bits + (bits % 2) : distance < 0.5 ? bits : bits + 1;
        expect(toSmallFloat(value, layout)).toBe(nearest);
      }),
    );
  });
});

test.each([
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [65519.99, 0x7bff],
  [65520, 0x7c00],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [-0, 0x8000],
  [1e300, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [Number.NaN, 0x7e00],
])("float16 of %d is %i", (value, bits) => {
  expect(toSmallFloat(value, float16)).toBe(bits);
});
