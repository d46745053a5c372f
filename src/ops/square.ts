import { definePrimitive } from "../ir/index.ts";

const greater = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const lesser = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** x * x, exact, and known not to be negative: what variances are summed from. */
export const square = definePrimitive({
  name: "square",
  summary: "x * x.",
  words: ["binary"],
  type: ([{ shape, dtype }]) => ({ shape, dtype }),
  float: ([x]) => ({ ...x, data: x.data.map((value) => value * value) }),
  swapTranspose: (perm, attrs) => ({ perm, attrs }),
  narrow: () => [true],
  quant: ([x]) => {
    const { format, ranges } = x.quant;
    const squared = ranges.map((lo, hi) => {
      const ends = [lo * lo, hi * hi] as const;
      return [lo <= 0n && hi >= 0n ? 0n : lesser(...ends), greater(...ends)];
    });
    return { format: squared.format(2 * format.frac), ranges: squared };
  },
  fixed: ([x]) => x.map((code) => code * code),
  kernel: () => ({ kind: "binary", fn: "mul", a: { arg: 0, shift: 0 }, b: { arg: 0, shift: 0 } }),
});
