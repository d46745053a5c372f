import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byteCount,
  decodeElements,
  type ElementType,
  elementTypes,
  encodeElements,
  integerRange,
} from "../../../src/tensor/index.ts";

const types = Object.keys(elementTypes) as ElementType[];

function never(value: number | bigint): never {
  throw new Error(`unexpected ${value}`);
}

function numbersOf(type: ElementType): fc.Arbitrary<number> {
  if (type === "float64") return fc.double();
  if (type === "float32") return fc.float();
  if (elementTypes[type].dtype === "float") return fc.integer({ min: -128, max: 128 });
  const { low, high } = integerRange(type);
  return fc
    .maxSafeInteger()
    .map((n) => (n >= low && n <= high ? n : (Math.abs(n) % (high + 1)) + 0));
}

describe.each(types)("%s", (type) => {
  test("survives the way to bytes and back, at any alignment and in either byte order", () => {
    fc.assert(
      fc.property(fc.array(numbersOf(type)), fc.nat(9), fc.boolean(), (list, offset, isBig) => {
        const bytes = encodeElements(Float64Array.from(list), type, never);
        expect(bytes.length).toBe(byteCount(type, list.length));
        const width = Math.max(elementTypes[type].bits / 8, 1);
        const moved = new Uint8Array(bytes.length + offset).subarray(offset);
        for (let i = 0; i < bytes.length; i++) {
          moved[isBig ? i - (i % width) + (width - 1 - (i % width)) : i] = bytes[i];
        }
        const order = isBig ? "big" : "little";
        const data = decodeElements(moved, type, list.length, never, order);
        expect(Array.from(data)).toEqual(list);
      }),
      { numRuns: 50 },
    );
  });
});

describe("integers", () => {
  test.each<[ElementType, number]>([
    ["int8", 128],
    ["int8", -129],
    ["uint8", -1],
    ["int4", 8],
    ["uint4", 16],
    ["bool", 2],
    ["int32", 0.5],
    ["uint16", Number.NaN],
    ["int64", 2 ** 53],
    ["uint64", Number.POSITIVE_INFINITY],
  ])("%s does not take %d", (type, value) => {
    const misfits: number[] = [];
    const misfit = (wrong: number): never => {
      misfits.push(wrong);
      throw new Error("misfit");
    };
    expect(() => encodeElements(Float64Array.of(0, value), type, misfit)).toThrow("misfit");
    expect(misfits).toEqual([value]);
  });

  test("beyond 2^53 are handed over without loss", () => {
    const bytes = new Uint8Array(BigInt64Array.of(2n ** 53n, -(2n ** 63n), 7n).buffer);
    const wide: bigint[] = [];
    const decode = (type: ElementType) =>
      decodeElements(bytes, type, 3, (value) => {
        wide.push(value);
        return -1;
      });
    expect(Array.from(decode("int64"))).toEqual([-1, -1, 7]);
    expect(Array.from(decode("uint64"))).toEqual([-1, -1, 7]);
    expect(wide).toEqual([2n ** 53n, -(2n ** 63n), 2n ** 53n, 2n ** 63n]);
  });
});

test("two four-bit numbers share a byte, the first in the low half", () => {
  expect(Array.from(encodeElements(Float64Array.of(-8, 7, -1), "int4", never))).toEqual([
    0x78, 0x0f,
  ]);
  expect(Array.from(decodeElements(Uint8Array.of(0x78, 0x0f), "int4", 3, never))).toEqual([
    -8, 7, -1,
  ]);
});
