import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Nest, nestOf } from "../../../src/emit/emulator/nest.ts";

/** The streams that a nest of loops walks along. */
function replay({ dims, starts }: Nest): number[][] {
  return starts.map((turns, s) => {
    const along = (start: number, level: number): number[] => {
      if (level === dims.length) return [start];
      const { count, strides } = dims[level];
      return Array.from({ length: count }, (_, i) => i).flatMap((i) =>
        along(start + i * strides[s], level + 1),
      );
    };
    return Array.from(turns).flatMap((start) => along(start, 0));
  });
}

describe("nestOf", () => {
  it("walks along the given streams, whatever they are", () => {
    const streams = fc.integer({ min: 1, max: 24 }).chain((size) =>
      fc.tuple(
        fc.constant(size),
        fc.array(
          fc.oneof(
            fc.array(fc.integer({ min: 0, max: 3 }), { minLength: size, maxLength: size }),
            fc
              .integer({ min: 1, max: 6 })
              .map((run) =>
                Array.from({ length: size }, (_, i) => Math.floor(i / run) * 7 + (i % run)),
              ),
          ),
          { minLength: 1, maxLength: 3 },
        ),
      ),
    );
    fc.assert(
      fc.property(streams, ([size, list]) => {
        const nest = nestOf(
          size,
          list.map((stream) => Int32Array.from(stream)),
        );
        expect(replay(nest)).toEqual(list);
      }),
      { numRuns: 500 },
    );
  });

  it("finds the loops of a transpose and a broadcast", () => {
    const transposed = Int32Array.of(0, 3, 1, 4, 2, 5);
    const broadcast = Int32Array.of(0, 0, 1, 1, 2, 2);
    expect(nestOf(6, [transposed, broadcast])).toEqual({
      dims: [
        { count: 3, strides: [1, 1] },
        { count: 2, strides: [3, 0] },
      ],
      starts: [Int32Array.of(0), Int32Array.of(0)],
    });
  });

  it("finds the windows of a convolution", () => {
    const windows = Int32Array.from({ length: 3 * 3 * 2 * 2 }, (_, i) => {
      const [y, x, dy, dx] = [Math.floor(i / 12), Math.floor(i / 4) % 3, (i >> 1) & 1, i & 1];
      return (y + dy) * 4 + x + dx;
    });
    const { dims, starts } = nestOf(windows.length, [windows]);
    expect(starts).toEqual([Int32Array.of(0)]);
    expect(dims.map(({ count }) => count)).toEqual([3, 3, 2, 2]);
  });

  it("keeps a table only of what has no order", () => {
    // Rows of four stand anywhere.
    const rows = [8, 0, 4, 40].flatMap((start) => [0, 1, 2, 3].map((i) => start + i));
    const { dims, starts } = nestOf(16, [Int32Array.from(rows)]);
    expect(dims).toEqual([{ count: 4, strides: [1] }]);
    expect(starts).toEqual([Int32Array.of(8, 0, 4, 40)]);
  });
});
