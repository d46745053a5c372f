import { describe, expect, it } from "vitest";
import { padIndex } from "../../../../src/ops/family/window.ts";
import { framingOf } from "../../../../src/schedule/stream/framing.ts";

const framing = (from: number[], before: number[], after: number[]) =>
  framingOf(
    { kind: "gather", index: padIndex(from, before, after) },
    from,
    from.map((extent, axis) => extent + before[axis] + after[axis]),
  );

describe("a frame", () => {
  it("is rows and columns around pictures", () => {
    expect(framing([2, 3, 4, 5], [0, 1, 2, 0], [0, 3, 0, 0])).toEqual({
      ...{ run: 5, pictures: 2, rows: 3, pixels: 4, above: 1, below: 3, left: 2, right: 0 },
    });
  });

  it("is rows alone, which are the pixels of one column, or channels, which are pixels of one number", () => {
    expect(framing([1, 3, 4, 2], [0, 1, 0, 0], [0, 2, 0, 0])).toEqual({
      ...{ run: 8, pictures: 1, rows: 1, pixels: 3, above: 0, below: 0, left: 1, right: 2 },
    });
    expect(framing([1, 3, 2], [0, 0, 0], [0, 0, 1])).toEqual({
      ...{ run: 1, pictures: 3, rows: 1, pixels: 2, above: 0, below: 0, left: 0, right: 1 },
    });
  });

  it("is not what lies along other axes, in between, or in another order", () => {
    expect(framing([2, 3, 4], [1, 0, 1], [0, 0, 0])).toBeUndefined();
    expect(framing([2, 3, 4], [1, 1, 1], [0, 0, 0])).toBeUndefined();
    const index = Int32Array.from([-1, 1, 0, -1]);
    expect(framingOf({ kind: "gather", index }, [2], [4])).toBeUndefined();
    const holes = Int32Array.from([0, -1, 1]);
    expect(framingOf({ kind: "gather", index: holes }, [2], [3])).toBeUndefined();
  });
});
