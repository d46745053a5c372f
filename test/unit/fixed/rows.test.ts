import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CodeLayout,
  containerBytes,
  makeFormat,
  overflows,
  packCodes,
  packReals,
  packRows,
  realToCode,
  roundings,
  unpackReals,
  unpackRows,
} from "../../../src/fixed/index.ts";
import { packSimd } from "../../../src/fixed/rows-simd.ts";

const layouts: fc.Arbitrary<CodeLayout> = fc
  .record({
    signed: fc.boolean(),
    width: fc.integer({ min: 1, max: 63 }),
    frac: fc.integer({ min: -8, max: 40 }),
    rounding: fc.constantFrom(...roundings),
    overflow: fc.constantFrom(...overflows),
  })
  .map(({ signed, width, frac, rounding, overflow }) => {
    const format = makeFormat(signed, width, frac);
    return { format, rounding, overflow, elementBytes: containerBytes(format) };
  });

/** Ordinary numbers, ties, neighbours of ties, and what is no number. */
const reals = (scale: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.double({ min: -300, max: 300, noNaN: true }),
    fc.integer({ min: -400, max: 400 }).map((n) => (n + 0.5) / scale),
    fc.integer({ min: -400, max: 400 }).map((n) => Math.fround((n + 0.5) / scale) * (1 - 2 ** -24)),
    fc.constantFrom(
      0,
      -0,
      Number.NaN,
      Infinity,
      -Infinity,
      1e300,
      -1e300,
      5e-324,
      0.49999999999999994,
    ),
  );

const cases = layouts.chain((layout) =>
  fc.record({
    layout: fc.constant(layout),
    size: fc.integer({ min: 1, max: 4 }),
    gap: fc.integer({ min: 0, max: 9 }),
    at: fc.integer({ min: 0, max: 9 }),
    values: fc.array(reals(2 ** layout.format.frac), { maxLength: 24 }),
    isSingle: fc.boolean(),
  }),
);

/** Any float32 by its bits, and those around the places where codes change. */
const singles = (scale: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(singleOf),
    fc.tuple(fc.integer({ min: -300, max: 300 }), fc.integer({ min: -2, max: 2 })).map(
      // Some steps of float32 beside a half of a code.
      ([halves, steps]) => singleOf(bitsOf(halves / 2 / scale) + steps),
    ),
  );
const pattern = new DataView(new ArrayBuffer(4));
const singleOf = (bits: number): number => {
  pattern.setUint32(0, bits >>> 0);
  return pattern.getFloat32(0);
};
const bitsOf = (value: number): number => {
  pattern.setFloat32(0, value);
  return pattern.getUint32(0);
};

describe("many float32 numbers", () => {
  const vectored = fc
    .record({
      signed: fc.boolean(),
      width: fc.integer({ min: 1, max: 16 }),
      frac: fc.integer({ min: -8, max: 24 }),
      rounding: fc.constantFrom("RND" as const, "TRN" as const),
      at: fc.integer({ min: 0, max: 9 }),
      repeats: fc.integer({ min: 1, max: 80 }),
    })
    .chain((plan) =>
      fc.record({
        plan: fc.constant(plan),
        values: fc.array(singles(2 ** plan.frac), { minLength: 64, maxLength: 200 }),
      }),
    );

  it("become the same codes by vectors, here", () => {
    const format = { rounding: "RND", signed: true, elementBytes: 1 } as const;
    const bytes = new Uint8Array(5);
    const values = Float32Array.from([1.25, -1.75, 100, Number.NaN]);
    expect(packSimd(values, format, 2, -8, 7, bytes, 1)).toBe(true);
    expect([...new Int8Array(bytes.buffer)]).toEqual([0, 3, -3, 7, 0]);
    fc.assert(
      fc.property(vectored, ({ plan, values }) => {
        const { signed, width, frac, rounding, at, repeats } = plan;
        const format = makeFormat(signed, width, frac);
        const elementBytes = containerBytes(format);
        const layout = { format, rounding, overflow: "SAT", elementBytes } as const;
        const numbers = Float32Array.from({ length: values.length * repeats }, (_, i) => {
          return values[i % values.length];
        });
        const bytes = new Uint8Array(at + numbers.length * elementBytes + 3);
        const size = numbers.length;
        packRows(numbers, 1, size, layout, { bytes, at, strideBytes: size * elementBytes });
        const expected = new Uint8Array(bytes.length);
        const codes = values.map((x) => realToCode(Math.fround(x), format, rounding, "SAT"));
        for (let from = 0; from < size; from += values.length) {
          packCodes(codes, layout, expected, at + from * elementBytes);
        }
        expect(Buffer.compare(bytes, expected)).toBe(0);
      }),
      { numRuns: 600 },
    );
  });
});

describe("packRows and unpackRows", () => {
  it("give what realToCode and unpackReals give, wherever rows stand", () => {
    fc.assert(
      fc.property(cases, ({ layout, size, gap, at, values, isSingle }) => {
        const rows = Math.floor(values.length / size);
        const strideBytes = size * layout.elementBytes + gap;
        const numbers = isSingle ? Float32Array.from(values) : Float64Array.from(values);
        const place = { bytes: new Uint8Array(at + rows * strideBytes + 8), at, strideBytes };
        const expected = new Uint8Array(place.bytes.length);
        const { format, rounding, overflow } = layout;
        for (let row = 0; row < rows; row++) {
          const codes = Array.from(numbers.subarray(row * size, (row + 1) * size), (x) =>
            realToCode(x, format, rounding, overflow),
          );
          packCodes(codes, layout, expected, at + row * strideBytes);
        }
        packRows(numbers, rows, size, layout, place);
        expect(place.bytes).toEqual(expected);

        const back = new Float64Array(rows * size);
        unpackRows(place, rows, size, layout, back);
        const wanted = Array.from({ length: rows }, (_, row) => [
          ...unpackReals(expected, at + row * strideBytes, size, layout),
        ]);
        expect([...back]).toEqual(wanted.flat());
      }),
      { numRuns: 3000 },
    );
  });

  it("is what packReals does for one row", () => {
    const format = makeFormat(true, 10, 6);
    const layout = { format, rounding: "RND", overflow: "SAT", elementBytes: 2 } as const;
    const values = Float32Array.from([0.0078125, -0.0078125, 7.99, -8.01, Number.NaN]);
    const [one, other] = [new Uint8Array(10), new Uint8Array(10)];
    packReals(values, layout, one, 0);
    packRows(values, 1, 5, layout, { bytes: other, at: 0, strideBytes: 10 });
    expect(other).toEqual(one);
    expect([...new Int16Array(other.buffer)]).toEqual([1, 0, 511, -512, 0]);
  });
});
