/** What was seen of a number of requests, in milliseconds. All zero where there were none. */
export interface LatencySummary {
  readonly count: number;
  readonly meanMs: number;
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/**
 * The smallest value that at least `share` of all values do not exceed (nearest rank): always one that was
 * measured, never a mean of two.
 *
 * @param sorted ascending, at least one
 * @param share above 0, up to 1
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  // 0.999 * 1000 is 999.0000000000001 in some orders of operation; a rank must not grow by that.
  const rank = Math.ceil(Number((share * sorted.length).toFixed(6)));
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1];
}

/** Keeps every latency: no buckets, so percentiles are exact. */
export class LatencyRecorder {
  #values = new Float64Array(1024);
  #count = 0;

  add(ms: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = ms;
  }

  summary(): LatencySummary {
    const count = this.#count;
    if (count === 0) {
      const none = { meanMs: 0, minMs: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 };
      return { count, ...none };
    }
    const sorted = this.#values.slice(0, count).sort();
    return {
      count,
      meanMs: sorted.reduce((sum, ms) => sum + ms, 0) / count,
      minMs: sorted[0],
      p50Ms: percentile(sorted, 0.5),
      p90Ms: percentile(sorted, 0.9),
      p99Ms: percentile(sorted, 0.99),
      p999Ms: percentile(sorted, 0.999),
      maxMs: sorted[count - 1],
    };
  }
}
