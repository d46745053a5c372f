import { cpus, freemem, totalmem } from "node:os";
import type { HistogramData, InferenceCore, ModelMetrics } from "../core/index.ts";

/** Content type of the Prometheus text format. */
export const pageType = "text/plain; version=0.0.4; charset=utf-8";

/** One metric of each version of each model. */
interface ModelMetric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly value: (metrics: ModelMetrics) => number;
}

/** Triton's names, so that charts and autoscalers made for it go on working. */
const modelMetrics: readonly ModelMetric[] = [
  {
    name: "nv_inference_request_success",
    type: "counter",
    help: "Requests that were answered with tensors",
    value: ({ statistics }) => statistics.inference_stats.success.count,
  },
  {
    name: "nv_inference_count",
    type: "counter",
    help: "Rows that were computed",
    value: ({ statistics }) => statistics.inference_count,
  },
  {
    name: "nv_inference_exec_count",
    type: "counter",
    help: "Kernel runs, each with the rows of one or more requests",
    value: ({ statistics }) => statistics.execution_count,
  },
  {
    name: "nv_inference_request_duration_us",
    type: "counter",
    help: "Time of answered requests from header to answer, in microseconds",
    value: ({ statistics }) => microseconds(statistics.inference_stats.success.ns),
  },
  {
    name: "nv_inference_queue_duration_us",
    type: "counter",
    help: "Time of requests in the queue, in microseconds",
    value: ({ statistics }) => microseconds(statistics.inference_stats.queue.ns),
  },
  {
    name: "nv_inference_compute_input_duration_us",
    type: "counter",
    help: "Time for making kernel inputs, in microseconds",
    value: ({ statistics }) => microseconds(statistics.inference_stats.compute_input.ns),
  },
  {
    name: "nv_inference_compute_infer_duration_us",
    type: "counter",
    help: "Time on the device, in microseconds",
    value: ({ statistics }) => microseconds(statistics.inference_stats.compute_infer.ns),
  },
  {
    name: "nv_inference_compute_output_duration_us",
    type: "counter",
    help: "Time for making answers of kernel outputs, in microseconds",
    value: ({ statistics }) => microseconds(statistics.inference_stats.compute_output.ns),
  },
  {
    name: "nv_inference_pending_request_count",
    type: "gauge",
    help: "Requests that wait in the queue",
    value: ({ pendingRequests }) => pendingRequests,
  },
  {
    name: "nv_model_load_duration_secs",
    type: "gauge",
    help: "Time that loading took, golden vectors included, in seconds",
    value: ({ loadSeconds }) => loadSeconds,
  },
  {
    name: "nn2fpga_pending_bytes",
    type: "gauge",
    help: "Bytes of the tensors of waiting requests",
    value: ({ pendingBytes }) => pendingBytes,
  },
];

const histograms: readonly {
  readonly name: string;
  readonly help: string;
  readonly data: (metrics: ModelMetrics) => HistogramData;
}[] = [
  {
    name: "nv_inference_request_duration_histogram_us",
    help: "Time of a request from header to answer, in microseconds",
    data: ({ requestDuration }) => requestDuration,
  },
  {
    name: "nv_inference_queue_duration_histogram_us",
    help: "Time of a request in the queue, in microseconds",
    data: ({ queueDuration }) => queueDuration,
  },
  {
    name: "nv_inference_compute_infer_duration_histogram_us",
    help: "Time of a request on the device, in microseconds",
    data: ({ computeDuration }) => computeDuration,
  },
];

const microseconds = (ns: number): number => Math.round(ns / 1000);

/** Gives pages; remembers what the CPU did since the last. */
export class MetricsPage {
  readonly #core: InferenceCore;
  #lastCpu = cpuTimes();

  constructor(core: InferenceCore) {
    this.#core = core;
  }

  /** All metrics in the Prometheus text format. */
  render(): string {
    const models = this.#core.metrics();
    const lines: string[] = [];
    for (const { name, type, help, value } of modelMetrics) {
      lines.push(...head(name, type, help));
      for (const metrics of models) lines.push(`${name}{${labelsOf(metrics)}} ${value(metrics)}`);
    }
    const failure = "nv_inference_request_failure";
    lines.push(...head(failure, "counter", "Requests that failed, by reason"));
    for (const metrics of models) {
      for (const [reason, count] of Object.entries(metrics.failures)) {
        lines.push(`${failure}{${labelsOf(metrics)},reason="${reason}"} ${count}`);
      }
    }
    for (const { name, help, data } of histograms) {
      lines.push(...head(name, "histogram", help));
      for (const metrics of models) lines.push(...histogramLines(name, metrics, data(metrics)));
    }
    lines.push(...this.#process());
    return `${lines.join("\n")}\n`;
  }

  #process(): string[] {
    const { pressure, isReady } = this.#core;
    const now = cpuTimes();
    const total = now.total - this.#lastCpu.total;
    const busy = total === 0 ? 0 : (now.busy - this.#lastCpu.busy) / total;
    this.#lastCpu = now;
    const { user, system } = process.cpuUsage();
    const gauge = (name: string, help: string, value: number) => [
      ...head(name, "gauge", help),
      `${name} ${value}`,
    ];
    return [
      ...gauge("nv_cpu_utilization", "Share of the machine's CPUs in use, 0 to 1", busy),
      ...gauge("nv_cpu_memory_total_bytes", "Memory of the machine", totalmem()),
      ...gauge("nv_cpu_memory_used_bytes", "Memory of the machine in use", totalmem() - freemem()),
      ...gauge("nn2fpga_ready", "1 while the server takes work", isReady ? 1 : 0),
      ...gauge("nn2fpga_bytes_in_flight", "Bytes that requests hold", pressure.bytesInFlight),
      ...gauge(
        "nn2fpga_bytes_in_flight_limit",
        "Bytes that requests may hold",
        pressure.limitBytes,
      ),
      ...gauge("process_resident_memory_bytes", "Memory of the server", process.memoryUsage.rss()),
      ...head("process_cpu_seconds_total", "counter", "CPU time of the server"),
      `process_cpu_seconds_total ${(user + system) / 1e6}`,
    ];
  }
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function labelsOf({ statistics }: ModelMetrics): string {
  return `model="${escapeLabel(statistics.name)}",version="${escapeLabel(statistics.version)}"`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function histogramLines(
  name: string,
  metrics: ModelMetrics,
  { boundsUs, counts, sumUs }: HistogramData,
): string[] {
  const labels = labelsOf(metrics);
  let sum = 0;
  const buckets = counts.map((count, at) => {
    sum += count;
    return `${name}_bucket{${labels},le="${boundsUs[at] ?? "+Inf"}"} ${sum}`;
  });
  return [...buckets, `${name}_sum{${labels}} ${sumUs}`, `${name}_count{${labels}} ${sum}`];
}

function cpuTimes(): { readonly busy: number; readonly total: number } {
  let [busy, total] = [0, 0];
  for (const { times } of cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busy += used;
    total += used + times.idle;
  }
  return { busy, total };
}
