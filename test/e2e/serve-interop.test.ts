import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planServer, type RunningServer, startServer } from "../../src/serve/index.ts";
import { writeEchoRepository } from "../support/serve/echo-repository.ts";
import { silent } from "../support/serve/wires.ts";

/** The real clients, from PyPI. */
interface Clients {
  readonly python: string;
  readonly perfAnalyzer: string;
}

const root = new URL("../..", import.meta.url).pathname;

const clients = ((): Clients | undefined => {
  try {
    const setup = join(root, "scripts", "interop-setup.sh");
    const text = execFileSync("bash", [setup], { timeout: 300_000, stdio: "pipe" }).toString();
    const path = (name: string) => new RegExp(`^${name} (.+)$`, "m").exec(text)?.[1] ?? "";
    return { python: path("python"), perfAnalyzer: path("perf_analyzer") };
  } catch (error) {
    const reason = String((error as { stderr?: Buffer }).stderr ?? error).trim();
    console.error(`\n*** SKIPPED: the real clients cannot be installed here: ${reason}\n`);
    return undefined;
  }
})();

/** Exit code and text of a program. */
function run(program: string, args: readonly string[]): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, text: `${stdout}${stderr}` });
    });
  });
}

describe.skipIf(clients === undefined)("the real clients", () => {
  const { python, perfAnalyzer } = clients as Clients;
  const folder = mkdtempSync(join(tmpdir(), "n2f-interop-"));
  let server: RunningServer;
  let grpc = "";
  let http = "";
  let metrics = "";

  beforeAll(async () => {
    writeEchoRepository(folder);
    const plan = planServer({
      repository: folder,
      "http-port": 0,
      "grpc-port": 0,
      "metrics-port": 0,
      "shared-memory": true,
      "model-control": "explicit",
      "default-model": "echo_fp32",
    });
    server = await startServer(plan, silent);
    expect(await server.loaded).toEqual([]);
    const address = (name: string) =>
      server.frontEnds.find((frontEnd) => frontEnd.name === name)?.address ?? "";
    [grpc, http, metrics] = ["grpc", "http", "metrics"].map(address);
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  test("tritonclient: everything that it can do", async () => {
    const script = join(root, "test/e2e/interop/triton_client.py");
    const { code, text } = await run(python, [script, grpc, http]);
    expect(text).toContain("ALL OK");
    expect(code).toBe(0);
  });

  test("TensorFlow Serving's client, as the first SONIC had it", async () => {
    const script = join(root, "test/e2e/interop/tfs_client.py");
    const { code, text } = await run(python, [script, grpc, join(root, "proto")]);
    expect(text).toContain("ALL OK");
    expect(code).toBe(0);
  });

  const common = ["-m", "echo_fp32", "-p", "400", "-r", "5", "-s", "999"];
  test.each([
    ["gRPC, synchronous", ["-i", "grpc", "--concurrency-range", "1:32:31"]],
    ["gRPC, asynchronous", ["-i", "grpc", "-a", "--concurrency-range", "1:32:31"]],
    ["gRPC, streaming", ["-i", "grpc", "-a", "--streaming", "--concurrency-range", "1:32:31"]],
    ["gRPC, batches of 64", ["-i", "grpc", "-b", "64", "--concurrency-range", "4"]],
    [
      "gRPC, gzip",
      ["-i", "grpc", "--grpc-compression-algorithm", "gzip", "--concurrency-range", "2"],
    ],
    ["gRPC, a rate of requests", ["-i", "grpc", "--request-rate-range", "200"]],
    ["HTTP, synchronous", ["-i", "http", "--concurrency-range", "1:32:31"]],
    ["HTTP, asynchronous", ["-i", "http", "-a", "--concurrency-range", "1:32:31"]],
    ["HTTP, JSON", ["-i", "http", "--input-tensor-format", "json", "--concurrency-range", "2"]],
  ])("perf_analyzer: %s", async (_, args) => {
    const address = args.includes("grpc") ? grpc : http;
    const { code, text } = await run(perfAnalyzer, [...common, ...args, "-u", address]);
    expect(text).toMatch(/throughput: [1-9]/);
    expect(code, text).toBe(0);
  });

  test("perf_analyzer reads the metrics", async () => {
    const collect = [
      "--collect-metrics",
      "--metrics-url",
      `${metrics}/metrics`,
      "--metrics-interval",
      "200",
    ];
    const args = [...common, "-i", "grpc", "--concurrency-range", "2", "-u", grpc, ...collect];
    const { code, text } = await run(perfAnalyzer, args);
    expect(code, text).toBe(0);
  });
});
