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
