import { describe, expect, test } from "vitest";
import { LatencyRecorder, percentile } from "../../../src/bench/percentiles.ts";

const upTo = (count: number) => Float64Array.from({ length: count }, (_, i) => i + 1);

describe("percentiles", () => {
  test.each([
    [1000, 0.5, 500],
    [1000, 0.9, 900],
    [1000, 0.99, 990],
    [1000, 0.999, 999],
    [1000, 1, 1000],
    [10, 0.99, 10],
    [10, 0.5, 5],
    [3, 0.5, 2],
    [1, 0.001, 1],
  ])("of 1 .. %i, the share %d is %i", (count, share, expected) => {
    expect(percentile(upTo(count), share)).toBe(expected);
  });

  test("are exact whatever the order and the number", () => {
    const recorder = new LatencyRecorder();
    // 7919 is prime to 5000: each of 1 .. 5000 once, in no order.
    for (let i = 0; i < 5000; i++) recorder.add(((i * 7919) % 5000) + 1);
    expect(recorder.summary()).toEqual({
      count: 5000,
      meanMs: 2500.5,
      minMs: 1,
      p50Ms: 2500,
      p90Ms: 4500,
      p99Ms: 4950,
      p999Ms: 4995,
      maxMs: 5000,
    });
  });

  test("of nothing are zero, and the count says so", () => {
    expect(new LatencyRecorder().summary()).toMatchObject({ count: 0, p50Ms: 0, maxMs: 0 });
  });
});
