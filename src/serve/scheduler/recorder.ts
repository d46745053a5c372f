import type {
  FailureReason,
  ModelMetrics,
  ModelStatistics,
  StatisticDuration,
} from "../core/statistics.ts";
import { Histogram } from "./histogram.ts";

class Duration {
  count = 0;
  #ms = 0;

  add(ms: number): void {
    this.count++;
    this.#ms += ms;
  }

  data(): StatisticDuration {
    return { count: this.count, ns: Math.round(this.#ms * 1e6) };
  }
}

/** Milliseconds of the parts of a request's way. */
export interface RequestTimes {
  readonly totalMs: number;
  readonly queueMs: number;
  readonly inputMs: number;
  readonly inferMs: number;
  readonly outputMs: number;
}

export type RunTimes = Pick<RequestTimes, "inputMs" | "inferMs" | "outputMs">;

class BatchDurations {
  readonly input = new Duration();
  readonly infer = new Duration();
  readonly output = new Duration();

  add({ inputMs, inferMs, outputMs }: RunTimes): void {
    this.input.add(inputMs);
    this.infer.add(inferMs);
    this.output.add(outputMs);
  }
}

/** Batch sizes of their own in the statistics; what comes later adds to the next smaller one. */
const mostBatchSizes = 1024;

/**
 * Counts what happens to one version of a model. All that belongs to a request is added in one step, so
 * that a reader never sees counts that differ.
 */
export class Recorder {
  readonly #name: string;
  readonly #version: string;
  #lastInference = 0;
  #rows = 0;
  #runs = 0;
  readonly #success = new Duration();
  readonly #fail = new Duration();
  readonly #queue = new Duration();
  readonly #compute = new BatchDurations();
  readonly #batches = new Map<number, BatchDurations>();
  readonly #failures: Record<FailureReason, number> = {
    REJECTED: 0,
    CANCELED: 0,
    BACKEND: 0,
    OTHER: 0,
  };
  readonly #request = new Histogram();
  readonly #queueHistogram = new Histogram();
  readonly #computeHistogram = new Histogram();

  loadSeconds = 0;

  constructor(name: string, version: string) {
    this.#name = name;
    this.#version = version;
  }

  succeed(rows: number, times: RequestTimes): void {
    this.#lastInference = Date.now();
    this.#rows += rows;
    this.#success.add(times.totalMs);
    this.#queue.add(times.queueMs);
    this.#compute.add(times);
    this.#request.add(times.totalMs * 1000);
    this.#queueHistogram.add(times.queueMs * 1000);
    this.#computeHistogram.add(times.inferMs * 1000);
  }

  run(rows: number, times: RunTimes): void {
    this.#runs++;
    let size = rows;
    if (!this.#batches.has(rows) && this.#batches.size >= mostBatchSizes) {
      size = Math.max(...[...this.#batches.keys()].filter((known) => known <= rows), 1);
    }
    let batch = this.#batches.get(size);
    if (batch === undefined) {
      batch = new BatchDurations();
      this.#batches.set(size, batch);
    }
    batch.add(times);
  }

  /** Cancellations and bad requests are counted for the metrics, and are no failures of the server. */
  fail(reason: FailureReason, totalMs: number): void {
    this.#failures[reason]++;
    if (reason === "REJECTED" || reason === "BACKEND") this.#fail.add(totalMs);
  }

  statistics(): ModelStatistics {
    const none = { count: 0, ns: 0 };
    const batches = [...this.#batches].sort(([a], [b]) => a - b);
    return {
      name: this.#name,
      version: this.#version,
      last_inference: this.#lastInference,
      inference_count: this.#rows,
      execution_count: this.#runs,
      inference_stats: {
        success: this.#success.data(),
        fail: this.#fail.data(),
        queue: this.#queue.data(),
        compute_input: this.#compute.input.data(),
        compute_infer: this.#compute.infer.data(),
        compute_output: this.#compute.output.data(),
        cache_hit: none,
        cache_miss: none,
      },
      batch_stats: batches.map(([batch_size, { input, infer, output }]) => ({
        batch_size,
        compute_input: input.data(),
        compute_infer: infer.data(),
        compute_output: output.data(),
      })),
    };
  }

  metrics(pendingRequests: number, pendingBytes: number): ModelMetrics {
    return {
      statistics: this.statistics(),
      failures: { ...this.#failures },
      pendingRequests,
      pendingBytes,
      loadSeconds: this.loadSeconds,
      requestDuration: this.#request.data(),
      queueDuration: this.#queueHistogram.data(),
      computeDuration: this.#computeHistogram.data(),
    };
  }
}
