import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sampledParent } from "../../../src/serve/core/span-exporter.ts";
import { planServer } from "../../../src/serve/index.ts";
import { requestOf, startCore, tinyRepository } from "../../support/serve.ts";

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly { readonly key: string; readonly value: object }[];
  readonly status?: { readonly code: number; readonly message: string };
}

let collector: Server;
let endpoint = "";
let status = 200;
let bodies: { path: string; spans: Span[]; resource: object }[] = [];

beforeEach(async () => {
  [bodies, status] = [[], 200];
  collector = createServer((request, response) => {
    let text = "";
    request.on("data", (data) => {
      text += data;
    });
    request.on("end", () => {
      const [{ resource, scopeSpans }] = JSON.parse(text).resourceSpans;
      bodies.push({ path: request.url ?? "", resource, spans: scopeSpans[0].spans });
      response.writeHead(status).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
afterEach(() => {
  collector.closeAllConnections();
  collector.close();
});

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const sampled = { traceparent: `00-${traceId}-${spanId}-01`, id: "7" };

describe("traces", () => {
  it("of requests that are sampled reach the collector, as spans in the client's", async () => {
    const core = await startCore({ repository: tinyRepository(), otlpEndpoint: `${endpoint}/` });
    const beforeNs = BigInt(Date.now() - 1000) * 1_000_000n;
    const rows = [[1, 2]];
    (await requestOf(core, "tiny", rows, sampled).run()).release();
    (
      await requestOf(core, "tiny", rows, { traceparent: `00-${traceId}-${spanId}-00` }).run()
    ).release();
    (await requestOf(core, "tiny", rows).run()).release();
    requestOf(core, "tiny", rows, sampled).cancel();
    await core.close();
    expect(bodies.map(({ path }) => path)).toEqual(["/v1/traces"]);
    const [{ spans, resource }] = bodies;
    expect(JSON.stringify(resource)).toContain('"service.name"');
    expect(spans.map(({ name }) => name)).toEqual(["infer tiny", "queue", "compute", "infer tiny"]);
    const [whole, queue, compute, cancelled] = spans;
    expect(whole).toMatchObject({ traceId, parentSpanId: spanId, kind: 2 });
    expect(whole.status).toBeUndefined();
    expect(whole.attributes).toContainEqual({ key: "nn2fpga.rows", value: { intValue: "1" } });
    for (const part of [queue, compute]) {
      expect(part).toMatchObject({ traceId, parentSpanId: whole.spanId, kind: 1 });
    }
    expect(new Set(spans.map((span) => span.spanId)).size).toBe(4);
    const times = [
      beforeNs,
      whole.startTimeUnixNano,
      queue.startTimeUnixNano,
      queue.endTimeUnixNano,
      compute.endTimeUnixNano,
    ].map(BigInt);
    expect([...times].sort((a, b) => (a < b ? -1 : 1))).toEqual(times);
    expect(compute.startTimeUnixNano).toBe(queue.endTimeUnixNano);
    expect(cancelled.status).toEqual({ code: 2, message: "the request was cancelled" });
  });

  it("are lost without harm where the collector is away, which is said once", async () => {
    status = 503;
    const warnings: object[] = [];
    const ignore = (): void => {};
    const core = await startCore({
      repository: tinyRepository(),
      otlpEndpoint: endpoint,
      logger: {
        debug: ignore,
        info: ignore,
        error: ignore,
        warn: (fields) => void warnings.push(fields),
      },
    });
    (await requestOf(core, "tiny", [[1, 2]], sampled).run()).release();
    await core.close();
    expect(warnings).toEqual([{ endpoint, reason: "it answers with status 503" }]);
  });

  it("have parents that are well formed", () => {
    expect(sampledParent(sampled.traceparent)).toEqual({ traceId, spanId });
    for (const text of [
      undefined,
      "",
      `00-${traceId}-${spanId}`,
      `ff-${traceId}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${traceId}-${spanId}-0g`,
      `00-${traceId}-${spanId}-02`,
    ]) {
      expect(sampledParent(text), text).toBeUndefined();
    }
  });

  it("need an address", () => {
    const plan = planServer({ repository: "models", "otlp-endpoint": "http://c:4318" });
    expect(plan.core.otlpEndpoint).toBe("http://c:4318");
    expect(() => planServer({ repository: "models", "otlp-endpoint": "collector:4318" })).toThrow(
      "no address of a collector",
    );
  });
});
