import { expect, test } from "vitest";
import { MetricsServer } from "../../../src/serve/metrics/index.ts";
import { FakeCore } from "../../support/serve/fake-core.ts";
import { frontEndOptions } from "../../support/serve/wires.ts";

test("the page has Triton's names, histograms, and text that Prometheus reads", async () => {
  const core = new FakeCore([{ name: 'odd"name', datatype: "FP32", dims: [1], maxBatch: 1 }]);
  const server = await new MetricsServer(core).start(frontEndOptions, 0);
  const response = await fetch(`http://${server.address}/metrics`);
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  const page = await response.text();
  const labels = String.raw`model="odd\"name",version="1"`;
  for (const name of [
    "nv_inference_request_success",
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_pending_request_count",
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_input_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_compute_output_duration_us",
    "nv_model_load_duration_secs",
  ]) {
    expect(page).toContain(`${name}{${labels}} `);
  }
  for (const [reason, count] of [
    ["REJECTED", 1],
    ["CANCELED", 2],
    ["BACKEND", 0],
    ["OTHER", 0],
  ]) {
    expect(page).toContain(`nv_inference_request_failure{${labels},reason="${reason}"} ${count}`);
  }
  // Counts 1, 2, 3 below 100 us, below 1000 us, above: cumulative on the page.
  expect(page).toContain(
    [
      `nv_inference_queue_duration_histogram_us_bucket{${labels},le="100"} 1`,
      `nv_inference_queue_duration_histogram_us_bucket{${labels},le="1000"} 3`,
      `nv_inference_queue_duration_histogram_us_bucket{${labels},le="+Inf"} 6`,
      `nv_inference_queue_duration_histogram_us_sum{${labels}} 12345`,
      `nv_inference_queue_duration_histogram_us_count{${labels}} 6`,
    ].join("\n"),
  );
  expect(page).toMatch(/^nv_cpu_memory_total_bytes \d+$/m);
  for (const line of page.trimEnd().split("\n")) {
    expect(line).toMatch(/^(# (HELP|TYPE) [a-z0-9_]+ .+|[a-z0-9_]+(\{.+\})? [0-9.e+-]+)$/);
  }
  expect((await fetch(`http://${server.address}/`)).status).toBe(404);
  expect((await fetch(`http://${server.address}/metrics`, { method: "POST" })).status).toBe(405);
  await server.close(100);
});
