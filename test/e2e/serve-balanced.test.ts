import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { writeEchoRepository } from "../support/serve/echo-repository.ts";
import { inferRequest, TestClient } from "../support/serve/wires.ts";

/** Two machines, as far as sockets can tell. */
const hosts = ["127.0.0.2", "127.0.0.3"] as const;

let folder: string;
let ports: { readonly http: number; readonly grpc: number; readonly metrics: number };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nn2fpga-balanced-"));
  mkdirSync(join(folder, "models"));
  writeEchoRepository(join(folder, "models"));
  const [http, grpc, metrics] = await Promise.all([freePort(), freePort(), freePort()]);
  ports = { http, grpc, metrics };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Balancer {
  readonly name: string;
  readonly file: string;
  /** Seconds that a server goes on while it says that it is not ready. */
  readonly drainSeconds: number;
  /** The configuration with this test's places in it, and how it is started. */
  command(config: string, front: { http: number; grpc: number }): readonly string[];
}

const haproxy: Balancer = {
  name: "haproxy",
  file: "deploy/haproxy/haproxy.cfg",
  drainSeconds: 5,
  command(config, front) {
    const path = join(folder, "haproxy.cfg");
    const placed = placeServers(config)
      .replace(/\bport 8000\b/, `port ${ports.http}`)
      .replace("bind :8001", `bind 127.0.0.1:${front.grpc}`)
      .replace("bind :8000", `bind 127.0.0.1:${front.http}`)
      .replace(/frontend stats\n(?: .*\n)+/, "");
    writeFileSync(path, placed);
    return ["-db", "-f", path];
  },
};

const nginx: Balancer = {
  name: "nginx",
  file: "deploy/nginx/nginx.conf",
  drainSeconds: 0,
  command(config, front) {
    const path = join(folder, "nginx.conf");
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (kind) => `${kind}_temp_path ${join(folder, kind)};`,
    );
    const placed = placeServers(config)
      .replace("listen 8001", `listen 127.0.0.1:${front.grpc}`)
      .replace("listen 8000", `listen 127.0.0.1:${front.http}`)
      .replace("http {", `http { ${temporary.join(" ")}`);
    writeFileSync(path, `daemon off; pid ${join(folder, "nginx.pid")};\n${placed}`);
    return ["-p", folder, "-c", path, "-e", "stderr"];
  },
};

function placeServers(config: string): string {
  return config.replace(
    /fpga-node-([12]):(8000|8001)/g,
    (_, node: string, port: string) =>
      `${hosts[Number(node) - 1]}:${port === "8001" ? ports.grpc : ports.http}`,
  );
}

test.for([haproxy, nginx])(
  "two servers behind $name: both work, and one ends and comes back without a request that fails",
  { timeout: 120_000 },
  async (balancer, { skip }) => {
    if (!isHere(balancer.name)) {
      console.error(`\n*** SKIPPED: ${balancer.name} is not here (Debian: ${balancer.name})\n`);
      skip();
    }
    const first = await startServer(hosts[0], balancer.drainSeconds);
    await startServer(hosts[1], balancer.drainSeconds);
    const front = { http: await freePort(), grpc: await freePort() };
    const command = balancer.command(readFileSync(balancer.file, "utf8"), front);
    const proxy = start(balancer.name, command);
    await until(async () => (await httpStatus(`127.0.0.1:${front.http}`)) === 200, 20, proxy.log);

    // All gRPC requests over one connection, as a client job has it.
    const load = new Load(`127.0.0.1:${front.grpc}`, `127.0.0.1:${front.http}`);
    await until(async () => load.grpc >= 500 && load.http >= 100, 60, load.text);
    const counts = await Promise.all(hosts.map(answered));
    for (const count of counts) expect(count).toBeGreaterThan(100);

    first.process.kill("SIGTERM");
    await first.ended;
    expect(first.log()).toContain(`"allAnswered":true`);
    const alone = load.grpc;
    await until(async () => load.grpc >= alone + 200, 30);
    expect(load.failures).toEqual([]);

    await startServer(hosts[0], balancer.drainSeconds);
    await until(async () => (await answered(hosts[0])) > 100, 30);
    const total = await load.stop();
    expect(load.failures).toEqual([]);
    expect(proxy.process.exitCode).toBeNull();
    console.log(
      `${balancer.name}: ${total} requests, first round ${counts.join(" and ")}, none failed`,
    );
  },
);

/** Clients that ask all the time, each for its own numbers, and look at every answer. */
class Load {
  grpc = 0;
  http = 0;
  readonly failures: string[] = [];
  readonly #client: TestClient;
  readonly #httpUrl: string;
  readonly #loops: Promise<void>;
  #isOver = false;

  constructor(grpc: string, http: string) {
    this.#client = new TestClient(grpc);
    this.#httpUrl = `http://${http}/v2/models/echo_fp32/infer`;
    const grpcLoops = Array.from({ length: 12 }, () => this.#loop(() => this.#askGrpc()));
    const httpLoops = Array.from({ length: 3 }, () => this.#loop(() => this.#askHttp()));
    this.#loops = Promise.all([...grpcLoops, ...httpLoops]).then(() => {});
  }

  readonly text = (): string => `${this.grpc} ${this.http} ${this.failures.slice(0, 3)}`;

  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#loops;
    this.#client.close();
    return this.grpc + this.http;
  }

  async #loop(ask: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await ask();
      } catch (error) {
        this.failures.push(String(error));
      }
      await new Promise((next) => setTimeout(next, 4));
    }
  }

  async #askGrpc(): Promise<void> {
    const numbers = numbersOfOne();
    const raw = Buffer.from(Float32Array.from(numbers).buffer);
    const reply = await this.#client.call(
      "ModelInfer",
      inferRequest("echo_fp32", "FP32", [2, 16], raw),
    );
    if (!raw.equals(reply.raw_output_contents[0])) throw new Error("another's answer");
    this.grpc++;
  }

  async #askHttp(): Promise<void> {
    const data = numbersOfOne();
    const inputs = [{ name: "INPUT0", datatype: "FP32", shape: [2, 16], data }];
    const response = await fetch(this.#httpUrl, {
      method: "POST",
      body: JSON.stringify({ inputs }),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`HTTP ${response.status}: ${text}`);
    if (String(JSON.parse(text).outputs[0].data) !== String(data))
      throw new Error("another's answer");
    this.http++;
  }
}

const numbersOfOne = (): number[] =>
  Array.from({ length: 32 }, () => Math.round(Math.random() * 2 ** 20));

interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  /** What it has written to stderr. */
  readonly log: () => string;
}

/** Starts a program that does not outlive the test. */
function start(program: string, args: readonly string[]): Running {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr?.on("data", (text) => {
    log += text;
  });
  const ended = once(child, "exit");
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), 8000);
    await ended;
    clearTimeout(kill);
  });
  return { process: child, ended, log: () => log };
}

async function startServer(host: string, drainSeconds: number): Promise<Running> {
  const options = {
    host,
    "http-port": ports.http,
    "grpc-port": ports.grpc,
    "metrics-port": ports.metrics,
    "drain-seconds": drainSeconds,
    threads: 0,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const serve = ["bin/nn2fpga.js", "serve", join(folder, "models"), ...args];
  const server = start(process.execPath, serve);
  await until(async () => (await httpStatus(`${host}:${ports.http}`)) === 200, 30, server.log);
  return server;
}

const httpStatus = (address: string): Promise<number> =>
  fetch(`http://${address}/v2/health/ready`).then(
    ({ status }) => status,
    () => 0,
  );

/** Requests that a server says it has answered. */
async function answered(host: string): Promise<number> {
  const page = await (await fetch(`http://${host}:${ports.metrics}/metrics`)).text();
  const lines = page.matchAll(/^nv_inference_request_success\{.*\} (\d+)$/gm);
  return Array.from(lines, ([, count]) => Number(count)).reduce((sum, count) => sum + count, 0);
}

async function until(is: () => Promise<boolean>, seconds: number, why = () => "") {
  const end = performance.now() + 1000 * seconds;
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${is}\n${why()}`);
    await new Promise((next) => setTimeout(next, 100));
  }
}

function isHere(program: string): boolean {
  try {
    execFileSync(program, ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
