import { expect, test } from "vitest";
import { poissonArrivals } from "../../../src/bench/arrivals.ts";

function take(ratePerSecond: number, seed: number, count: number): number[] {
  const arrivals = poissonArrivals(ratePerSecond, seed);
  return Array.from({ length: count }, () => arrivals.next().value);
}

test("the same seed gives the same arrivals, another one others", () => {
  expect(take(500, 7, 100)).toEqual(take(500, 7, 100));
  expect(take(500, 7, 100)).not.toEqual(take(500, 8, 100));
});

test("gaps are exponential: mean and deviation are one over the rate, and a share of 1/e is longer", () => {
  const arrivals = take(200, 1, 20_000);
  const gaps = arrivals.map((at, i) => at - (arrivals[i - 1] ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  const longer = gaps.filter((gap) => gap > 5).length / gaps.length;
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
  expect(mean).toBeGreaterThan(4.9);
  expect(mean).toBeLessThan(5.1);
  expect(Math.sqrt(variance)).toBeGreaterThan(4.8);
  expect(Math.sqrt(variance)).toBeLessThan(5.2);
  expect(longer).toBeGreaterThan(Math.exp(-1) - 0.015);
  expect(longer).toBeLessThan(Math.exp(-1) + 0.015);
});
