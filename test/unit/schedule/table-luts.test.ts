import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { tableLuts } from "../../../src/schedule/table-luts.ts";

const table = (count: number, value: (i: number) => number) =>
  Float64Array.from({ length: count }, (_, i) => value(i));

describe("LUTs of a table", () => {
  it("are none for what is constant, an input, or inverted", () => {
    expect(
      tableLuts(
        table(64, (i) => i),
        0,
        6,
      ),
    ).toBe(0);
    expect(
      tableLuts(
        table(64, (i) => 63 - i),
        0,
        6,
      ),
    ).toBe(0);
    expect(
      tableLuts(
        table(256, () => 5),
        0,
        8,
      ),
    ).toBe(0);
  });

  it("are one for each bit of six inputs, and four of eight", () => {
    const random = new Random(1);
    expect(
      tableLuts(
        table(64, () => random.below(256)),
        0,
        8,
      ),
    ).toBe(8);
    expect(
      tableLuts(
        table(256, () => random.below(256)),
        0,
        8,
      ),
    ).toBe(32);
  });

  it("have multiplexers beyond eight inputs, where the sides differ", () => {
    const random = new Random(1);
    const half = Array.from({ length: 256 }, () => random.below(16));
    expect(
      tableLuts(
        table(512, () => random.below(16)),
        0,
        4,
      ),
    ).toBe(4 * (8 + 1));
    expect(
      tableLuts(
        table(512, (i) => half[i % 256]),
        0,
        4,
      ),
    ).toBe(4 * 4);
  });

  it("stand where the low bits of their codes are", () => {
    // Codes -32 .. 31 of a step at zero: the sign.
    expect(
      tableLuts(
        table(64, (i) => (i < 32 ? 0 : 1)),
        -32,
        1,
      ),
    ).toBe(0);
    expect(
      tableLuts(
        table(64, (i) => (i < 30 ? 0 : 1)),
        -32,
        1,
      ),
    ).toBe(1);
  });
});
