import { Random } from "../base/index.ts";

/**
 * When requests of a Poisson process arrive, in ms from its start: each gap is exponential with the mean
 * `1000 / ratePerSecond`, whatever came before. The same seed gives the same arrivals.
 */
export function* poissonArrivals(ratePerSecond: number, seed: number): Generator<number, never> {
  const random = new Random(seed);
  const meanMs = 1000 / ratePerSecond;
  for (let atMs = 0; ; ) {
    // 1 - u is in (0, 1], whose logarithm is finite.
    atMs -= Math.log(1 - random.uniform()) * meanMs;
    yield atMs;
  }
}
