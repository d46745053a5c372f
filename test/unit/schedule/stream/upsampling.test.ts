import { describe, expect, it } from "vitest";
import { upsamplingOf } from "../../../../src/schedule/stream/upsampling.ts";

/** `[rows, columns, channels]` elements, each row `fy` times and each pixel `fx` times. */
function indices(rows: number, columns: number, channels: number, fy: number, fx: number) {
  const index: number[] = [];
  for (let y = 0; y < rows * fy; y++)
    for (let x = 0; x < columns * fx; x++)
      for (let c = 0; c < channels; c++)
        index.push((Math.floor(y / fy) * columns + Math.floor(x / fx)) * channels + c);
  return Int32Array.from(index);
}

describe("upsampling", () => {
  it("of rows, of columns and of both is found in an order of elements", () => {
    const both = { kind: "gather" as const, index: indices(3, 4, 2, 2, 3) };
    expect(upsamplingOf(both, [1, 3, 4, 2], [1, 6, 12, 2])).toEqual({
      ...{ run: 2, pixels: 4, rows: 3, factorX: 3, factorY: 2 },
    });
    const columns = { kind: "gather" as const, index: indices(3, 4, 2, 1, 2) };
    expect(upsamplingOf(columns, [1, 3, 4, 2], [1, 3, 8, 2])).toEqual({
      ...{ run: 2, pixels: 4, rows: 3, factorX: 2, factorY: 1 },
    });
    const rows = { kind: "gather" as const, index: indices(3, 4, 2, 2, 1) };
    expect(upsamplingOf(rows, [1, 3, 4, 2], [1, 6, 4, 2])).toEqual({
      ...{ run: 8, pixels: 3, rows: 1, factorX: 2, factorY: 1 },
    });
  });

  it("is not seen in other orders", () => {
    const index = indices(3, 4, 2, 1, 2);
    index[5] = 0;
    expect(upsamplingOf({ kind: "gather", index }, [1, 3, 4, 2], [1, 3, 8, 2])).toBeUndefined();
    const same = { kind: "gather" as const, index: indices(3, 4, 2, 1, 1) };
    expect(upsamplingOf(same, [1, 3, 4, 2], [1, 3, 4, 2])).toBeUndefined();
    const cut = { kind: "gather" as const, index: Int32Array.of(0, 1) };
    expect(upsamplingOf(cut, [1, 4], [1, 2])).toBeUndefined();
  });
});
