import { describe, expect, it } from "vitest";
import { fitsAll, repetitionOf } from "../../../../src/schedule/stream/lower/spread.ts";

/** Where the elements of `[..small]` stand in `[..full]`, as NumPy broadcasts; 1 in `small` is repeated. */
function placeOf(full: readonly number[], small: readonly number[]): Int32Array {
  const size = full.reduce((a, b) => a * b, 1);
  return Int32Array.from({ length: size }, (_, i) => {
    let [rest, at, stride] = [i, 0, 1];
    for (let axis = full.length - 1; axis >= 0; axis--) {
      const place = rest % full[axis];
      rest = Math.floor(rest / full[axis]);
      if (small[axis] === 1) continue;
      at += place * stride;
      stride *= small[axis];
    }
    return at;
  });
}

describe("repetitions", () => {
  it("a bias along the channels is over and over", () => {
    const place = placeOf([6, 4], [1, 4]);
    expect(repetitionOf(place, 4)).toEqual({ inner: 4, FX: 6, W: 1, FY: 1 });
  });

  it("the greatest number of each row stands still along the row", () => {
    const place = placeOf([3, 5], [3, 1]);
    expect(repetitionOf(place, 3)).toEqual({ inner: 1, FX: 5, W: 3, FY: 1 });
  });

  it("the greatest number of each column of several matrices", () => {
    const place = placeOf([3, 5, 4], [3, 1, 4]);
    expect(repetitionOf(place, 12)).toEqual({ inner: 4, FX: 5, W: 3, FY: 1 });
  });

  it("a factor for each head, again for each row", () => {
    const place = placeOf([2, 3, 4], [1, 3, 1]);
    expect(repetitionOf(place, 3)).toEqual({ inner: 1, FX: 4, W: 3, FY: 2 });
  });

  it("two axes are repeated, three are too many", () => {
    expect(repetitionOf(placeOf([2, 3, 2, 3, 2], [2, 1, 2, 1, 2]), 8)).toEqual({
      ...{ inner: 2, FX: 3, W: 2, FY: 3 },
    });
    expect(repetitionOf(placeOf([2, 3, 2, 3, 2, 3], [2, 1, 2, 1, 2, 1]), 8)).toBeUndefined();
  });

  it("turned elements are no repetition", () => {
    expect(repetitionOf(Int32Array.of(1, 0, 1, 0), 2)).toBeUndefined();
  });
});

it("lanes fit where each beat needs one beat of the small value", () => {
  const rows = { place: placeOf([3, 6], [3, 1]), repetition: { inner: 1, FX: 6, W: 3, FY: 1 } };
  expect([1, 2, 3, 4, 6].filter((lanes) => fitsAll([rows], 6, lanes))).toEqual([1, 2, 3, 6]);
  const bias = { place: placeOf([3, 6], [1, 6]), repetition: { inner: 6, FX: 3, W: 1, FY: 1 } };
  expect([1, 4, 6, 9, 18].filter((lanes) => fitsAll([bias], 18, lanes))).toEqual([1, 6, 18]);
});
