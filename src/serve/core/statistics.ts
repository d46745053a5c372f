/** How often something happened and how long it took in all. */
export interface StatisticDuration {
  readonly count: number;
  readonly ns: number;
}

/** Triton's `InferStatistics`. The three `compute_*` have the same count as `success` at any time. */
export interface InferStatistics {
  readonly success: StatisticDuration;
  /** Rejections by the server and faults of it; neither bad requests nor cancellations. */
  readonly fail: StatisticDuration;
  readonly queue: StatisticDuration;
  readonly compute_input: StatisticDuration;
  readonly compute_infer: StatisticDuration;
  readonly compute_output: StatisticDuration;
  readonly cache_hit: StatisticDuration;
  readonly cache_miss: StatisticDuration;
}

export interface BatchStatistics {
  /** Rows of one kernel run. */
  readonly batch_size: number;
  readonly compute_input: StatisticDuration;
  readonly compute_infer: StatisticDuration;
  readonly compute_output: StatisticDuration;
}

/** Triton's `ModelStatistics`, with its field names; JSON as it stands. */
export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since 1970; 0 before the first. */
  readonly last_inference: number;
  /** Rows. */
  readonly inference_count: number;
  /** Kernel runs. */
  readonly execution_count: number;
  readonly inference_stats: InferStatistics;
  readonly batch_stats: readonly BatchStatistics[];
}

/** Counts of a Prometheus histogram: `counts[i]` lie at most at `boundsUs[i]`; not cumulative. */
export interface HistogramData {
  readonly boundsUs: readonly number[];
  /** One longer than the bounds: the last is what lies above all of them. */
  readonly counts: readonly number[];
  readonly sumUs: number;
}

export type FailureReason = "REJECTED" | "CANCELED" | "BACKEND" | "OTHER";

/** What the metrics page says of one version of a model. */
export interface ModelMetrics {
  readonly statistics: ModelStatistics;
  readonly failures: Readonly<Record<FailureReason, number>>;
  /** Requests that wait in the queue now. */
  readonly pendingRequests: number;
  readonly pendingBytes: number;
  readonly loadSeconds: number;
  /** Of requests: from begin to answer, in the queue, on the device. */
  readonly requestDuration: HistogramData;
  readonly queueDuration: HistogramData;
  readonly computeDuration: HistogramData;
}
