import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { addTinyBundle } from "../support/serve.ts";

const folder = mkdtempSync(join(tmpdir(), "nn2fpga-bench-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Point {
  readonly clients: number;
  readonly perSecond: number;
  readonly errors: number;
  readonly latency: { readonly count: number; readonly p50Ms: number; readonly p99Ms: number };
  readonly serverCpuMsPerRequest?: number;
}
interface Curve {
  readonly rttMs: number;
  readonly measuredRttMs: number;
  readonly points: readonly Point[];
}

/** Of all scenarios together: a test reads what its own has. */
interface Document {
  readonly requestBytes: number;
  readonly curves: readonly (Curve & { readonly expectedKnee: number })[];
  readonly findings: readonly {
    readonly name: string;
    readonly value: string;
    readonly isMet: boolean;
  }[];
  readonly rows: unknown;
  readonly compared: number;
}

/** Runs the built program, as a user does. */
function bench(
  ...args: readonly string[]
): Promise<{ code: number; document: Document; stderr: string }> {
  return new Promise((resolve) => {
    const all = ["bin/nn2fpga.js", "bench", "serve", ...args, "--json"];
    execFile(process.execPath, all, { timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, document: JSON.parse(stdout === "" ? "{}" : stdout), stderr });
    });
  });
}

const brief = ["--seconds", "0.5", "--warmup", "0.2"];
const isLinux = process.platform === "linux";

describe("bench serve", () => {
  test("scale-out: the device's rate and the knee come out, roughly, within seconds", async () => {
    const report = join(folder, "scale-out.html");
    const args = ["--clients", "1,2,16", "--rtt", "10", "--report", report];
    const { code, document } = await bench("--scenario", "scale-out", ...args, ...brief);
    expect(code).toBe(0);
    expect(document.requestBytes).toBeGreaterThan(602_112);
    const [{ points, measuredRttMs, expectedKnee }] = document.curves;
    expect(points.map(({ clients }) => clients)).toEqual([1, 2, 16]);
    for (const { errors, latency } of points) {
      expect(errors).toBe(0);
      expect(latency.count).toBeGreaterThan(0);
      // The line and the device take their time, whatever else happens.
      expect(latency.p50Ms).toBeGreaterThan(10);
    }
    expect(measuredRttMs).toBeGreaterThan(8.5);
    expect(expectedKnee).toBeCloseTo((measuredRttMs + 1.5) / 1.5, 6);
    // A device that is never idle, and never faster than it is.
    expect(points[2].perSecond).toBeGreaterThan(points[0].perSecond);
    expect(points[2].perSecond).toBeLessThan(1.03 * (1000 / 1.5));
    if (isLinux) expect(points[2].serverCpuMsPerRequest).toBeGreaterThan(0);
    expect(document.findings.map(({ name }) => name)).toEqual([
      "added median latency",
      "saturated throughput, RTT 10 ms",
      "knee, RTT 10 ms",
      "errors",
    ]);
    expect(readFileSync(report, "utf8")).toContain("<svg ");
  });

  test.each(["grpc", "http"])(
    "facile over %s: every answer has the bits of predict",
    async (protocol) => {
      const args = ["--clients", "2", "--protocol", protocol, ...brief];
      const { code, document } = await bench("--scenario", "facile", ...args);
      expect(code).toBe(0);
      expect(document.rows).toBe(16_000);
      expect(document.compared).toBeGreaterThan(0);
      expect(document.findings[0]).toMatchObject({ name: "the bits of predict", isMet: true });
      expect(document.findings.at(-1)).toMatchObject({ name: "errors", value: "0" });
    },
  );

  test("the comparison has the processor, the device, and the service", async () => {
    const args = ["--rtt", "0,5", "--batch", "2000", ...brief];
    const { code, document } = await bench("--scenario", "table", ...args);
    expect(code).toBe(0);
    const rows = document.rows as {
      model: string;
      type: string;
      attach: string;
      batch: number;
      latencyMs: number;
      perSecond: number;
      errors: number;
    }[];
    expect(rows.map(({ type, attach, batch }) => `${type} ${attach} ${batch}`)).toEqual([
      "CPU direct 1",
      "CPU direct 2000",
      "emulator direct 1",
      "emulator direct 2000",
      "emulator service 2000",
      "emulator service 2000",
      "CPU direct 1",
      "null, 1.5 ms service 1",
      "null, 1.5 ms service 1",
    ]);
    for (const { errors, latencyMs, perSecond } of rows) {
      expect(errors).toBe(0);
      expect(latencyMs).toBeGreaterThan(0);
      expect(perSecond).toBeGreaterThan(0);
    }
  });

  test("any bundle, in an open loop", async () => {
    const bundle = join(folder, "tiny.n2f");
    addTinyBundle(bundle);
    const args = ["--loop", "open", "--rate", "200", "--clients", "4", "--protocol", "http"];
    const { code, document } = await bench(bundle, ...args, ...brief);
    expect(code).toBe(0);
    const [{ points }] = document.curves;
    expect(points[0].errors).toBe(0);
    expect(points[0].perSecond).toBeGreaterThan(100);
    expect(points[0].perSecond).toBeLessThan(300);
  });

  test.each([
    { args: [], says: "one server is wanted" },
    { args: ["--scenario", "facile", "--server", "h:1"], says: "a scenario starts its own server" },
    { args: ["x", "--rate", "5"], says: "--loop open and --rate belong together" },
    { args: ["--server", "127.0.0.1:1", "--model", "m"], says: "N2F_BENCH_SERVER" },
    { args: ["no-such-folder"], says: "N2F_BENCH_SERVER" },
  ])("$args is refused: $says", async ({ args, says }) => {
    const { code, stderr } = await bench(...args, ...brief);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
  });
});
