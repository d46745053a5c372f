import { randomBytes } from "node:crypto";
import type { ActiveRequest } from "./active-request.ts";
import type { ServeError } from "./serve-error.ts";

interface SpanExporterOptions {
  /** Base address of a collector, `http://collector:4318`. */
  readonly endpoint: string;
  readonly serviceName: string;
  readonly version: string;
  /** Told once for each time that the collector goes away. */
  readonly warn: (fields: object, message: string) => void;
}

/** How long spans are gathered, how many at most, and how long the collector may take. */
const everyMs = 2000;
const mostSpans = 4096;
const patienceMs = 5000;

/** Kinds and states of a span, by their numbers. */
const [internal, server] = [1, 2];
const failed = 2;

/**
 * Sends what became of requests to a collector of OpenTelemetry, by OTLP over HTTP in JSON. Only requests whose client
 * traces them: those with a `traceparent` that says it is sampled. Each is a span, with its time in the queue and its
 * time on the device as spans in it.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export class SpanExporter {
  readonly #options: SpanExporterOptions;
  readonly #timer: NodeJS.Timeout;
  #spans: object[] = [];
  #lost = 0;
  #isAway = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: SpanExporterOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), everyMs);
    this.#timer.unref();
  }

  /** Follows a request that has begun, if its client traces it. */
  follow(request: ActiveRequest): void {
    const parent = sampledParent(request.traceparent);
    if (parent === undefined) return;
    request.onSettled = (error) => this.#add(request, parent, error);
  }

  /** Sends what there is. Never throws: what a collector does not take is lost. */
  flush(): Promise<void> {
    if (this.#spans.length > 0) {
      const spans = this.#spans;
      this.#spans = [];
      this.#sending = this.#sending.then(() => this.#send(spans));
    }
    return this.#sending;
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.flush();
  }

  #add(request: ActiveRequest, { traceId, spanId }: Parent, error: ServeError | undefined): void {
    if (this.#spans.length + 3 > mostSpans) {
      this.#lost++;
      return;
    }
    const endMs = performance.now();
    const { model, version, id, rows, begunMs, queuedMs, startedMs } = request;
    const own = randomBytes(8).toString("hex");
    const span = (name: string, kind: number, parent: string, fromMs: number, toMs: number) => ({
      traceId,
      spanId: parent === spanId ? own : randomBytes(8).toString("hex"),
      parentSpanId: parent,
      name,
      kind,
      startTimeUnixNano: unixNs(fromMs),
      endTimeUnixNano: unixNs(toMs),
    });
    this.#spans.push({
      ...span(`infer ${model}`, server, spanId, begunMs, endMs),
      attributes: [
        attribute("nn2fpga.model", model),
        attribute("nn2fpga.version", version),
        attribute("nn2fpga.rows", rows),
        ...(id === "" ? [] : [attribute("nn2fpga.request_id", id)]),
        ...(error === undefined ? [] : [attribute("error.type", error.status)]),
      ],
      ...(error !== undefined && { status: { code: failed, message: error.message } }),
    });
    if (queuedMs === 0) return;
    const isStarted = startedMs > 0;
    this.#spans.push(span("queue", internal, own, queuedMs, isStarted ? startedMs : endMs));
    if (isStarted) this.#spans.push(span("compute", internal, own, startedMs, endMs));
  }

  async #send(spans: readonly object[]): Promise<void> {
    const { endpoint, serviceName, version, warn } = this.#options;
    const resource = {
      attributes: [attribute("service.name", serviceName), attribute("service.version", version)],
    };
    const scopeSpans = [{ scope: { name: "nn2fpga", version }, spans }];
    try {
      const response = await fetch(`${endpoint.replace(/\/$/, "")}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] }),
        signal: AbortSignal.timeout(patienceMs),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`it answers with status ${response.status}`);
      if (this.#lost > 0) warn({ requests: this.#lost }, "traces of requests were lost");
      this.#lost = 0;
      this.#isAway = false;
    } catch (error) {
      const { message, cause } = error as Error;
      const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
      if (!this.#isAway) warn({ endpoint, reason }, "the collector takes no traces");
      this.#isAway = true;
    }
  }
}

interface Parent {
  readonly traceId: string;
  readonly spanId: string;
}

/** What a `traceparent` says; undefined if it is malformed or the trace is not sampled. */
export function sampledParent(traceparent: string | undefined): Parent | undefined {
  if (traceparent === undefined) return undefined;
  const pattern =
    /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|$)/;
  const [, traceId, spanId, flags] = pattern.exec(traceparent) ?? [];
  if (traceId === undefined || (Number.parseInt(flags, 16) & 1) === 0) return undefined;
  return { traceId, spanId };
}

function attribute(key: string, value: string | number): object {
  return {
    key,
    value: typeof value === "string" ? { stringValue: value } : { intValue: String(value) },
  };
}

/** Of a time on the clock of `performance.now()`, to the microsecond. */
function unixNs(ms: number): string {
  return `${BigInt(Math.round((performance.timeOrigin + ms) * 1000))}000`;
}
