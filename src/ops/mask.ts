import { defineBinary } from "./family/binary.ts";

/**
 * x where the condition is 1, and 0 where it is 0. The condition has no binary point, so the product is
 * exact and no wider than x. A choice between two values is the sum of two of these.
 */
export const mask = defineBinary({
  name: "mask",
  summary: "x where a condition is 1, and 0 where it is 0.",
  fn: "mul",
  float: (x, condition) => (condition === 0 ? 0 : x),
  fixed: (x, condition) => x * condition,
  interval: ([lo, hi], [never, always]) => {
    if (always === 0n) return [0n, 0n];
    return never === 1n ? [lo, hi] : [lo < 0n ? lo : 0n, hi > 0n ? hi : 0n];
  },
  points: "add",
  narrow: false,
});
