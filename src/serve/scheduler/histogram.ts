import type { HistogramData } from "../core/statistics.ts";

/** Upper bounds in microseconds: from a kernel's latency to a queue that is far too long. */
const boundsUs = [
  50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
  2_500_000, 10_000_000,
] as const;

/** Counts of durations between fixed bounds. */
export class Histogram {
  readonly #counts = new Array<number>(boundsUs.length + 1).fill(0);
  #sumUs = 0;

  add(us: number): void {
    let i = 0;
    while (i < boundsUs.length && us > boundsUs[i]) i++;
    this.#counts[i]++;
    this.#sumUs += us;
  }

  data(): HistogramData {
    return { boundsUs, counts: [...this.#counts], sumUs: this.#sumUs };
  }
}
