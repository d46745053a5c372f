import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Random } from "../../src/base/index.ts";
import { frame } from "../../src/serve/grpc/framing.ts";
import { TestClient } from "../support/serve/wires.ts";
import { addTinyBundle, predictRows } from "../support/serve.ts";

/** Seconds of it; the long run (`npm run soak -- --minutes 10`) sets more. */
const seconds = Number(process.env["N2F_SOAK_SECONDS"] ?? 20);
const inferPath = "/inference.GRPCInferenceService/ModelInfer";

let folder: string;
let child: ChildProcess;
let addresses: Readonly<Record<"http" | "grpc" | "metrics", string>>;
let inputs: number[][];
let answers: number[][];

/** `sure` is asked by clients that wait for each answer, `wild` also by those that die, give up or stammer. */
const models = ["sure", "wild"] as const;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nn2fpga-soak-"));
  addTinyBundle(join(folder, "sure.n2f"));
  cpSync(join(folder, "sure.n2f"), join(folder, "wild.n2f"), { recursive: true });
  inputs = Array.from({ length: 3000 }, (_, i) => [Math.sin(i) * 9, Math.cos(3 * i) * 9]);
  answers = await predictRows(join(folder, "sure.n2f"), inputs);
  const ports = ["http", "grpc", "metrics"].flatMap((name) => [`--${name}-port`, "0"]);
  const options = ["--model-control", "explicit", "--max-queue", "16", "--threads", "0", "--json"];
  const args = ["bin/nn2fpga.js", "serve", folder, "--log-level", "error", ...ports, ...options];
  child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [text] = await once(child.stdout as NodeJS.ReadableStream, "data");
  addresses = JSON.parse(String(text)).addresses;
});
afterAll(async () => {
  if (child.exitCode === null) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** What clients saw of one model. */
class Tally {
  answered = 0;
  /** Refused by the server with a status: a full queue. */
  refused = 0;
  /** Given up by the client, which cannot know whether the server had begun or even ended it. */
  abandoned = 0;
}

const tallies = { sure: new Tally(), wild: new Tally() };
const dice = new Random(11);

/** Rows of a request, and the bytes of the one right answer. */
function problem() {
  const rows = 1 + dice.below(dice.below(10) === 0 ? 1500 : 30);
  const first = dice.below(inputs.length - rows);
  const bytes = (from: number[][]) =>
    Buffer.from(Float32Array.from(from.slice(first, first + rows).flat()).buffer);
  return { rows, input: bytes(inputs), answer: bytes(answers) };
}

const headerOf = (model: string, rows: number) => ({
  model_name: model,
  inputs: [{ name: "x", datatype: "FP32", shape: [rows, 2] }],
});

function askGrpc(client: TestClient, model: (typeof models)[number]): Promise<void> {
  const { rows, input, answer } = problem();
  const tally = tallies[model];
  const fate = model === "wild" ? dice.below(4) : 0;
  const options = fate === 1 ? { deadline: Date.now() + dice.below(8) } : {};
  const request = { ...headerOf(model, rows), raw_input_contents: [input] };
  return new Promise((resolve, reject) => {
    const call = client.raw.ModelInfer(
      request,
      new grpc.Metadata(),
      options,
      (error: grpc.ServiceError | null, reply: { raw_output_contents: Buffer[] }) => {
        if (error === null) {
          if (!answer.equals(reply.raw_output_contents[0])) reject(new Error("a wrong answer"));
          tally.answered++;
        } else if (error.details === "Exceeds maximum queue size") tally.refused++;
        else if (fate === 1 && error.code === grpc.status.DEADLINE_EXCEEDED) tally.abandoned++;
        else if (fate === 2 && error.code === grpc.status.CANCELLED) tally.abandoned++;
        // Node ends a connection on which streams are reset too often (33 a second, beyond a burst of 1000).
        else if (model === "wild" && error.details.includes("Session closed")) tally.abandoned++;
        else reject(new Error(`gRPC ${error.code}: ${error.details}`));
        resolve();
      },
    );
    if (fate === 2) setTimeout(() => call.cancel(), dice.below(6));
  });
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });

function askHttp(model: (typeof models)[number]): Promise<void> {
  const { rows, input, answer } = problem();
  const tally = tallies[model];
  const isDying = model === "wild" && dice.below(4) === 0;
  const json = JSON.stringify({
    parameters: { binary_data_output: true },
    inputs: headerOf(model, rows).inputs.map((header) => ({
      ...header,
      parameters: { binary_data_size: input.length },
    })),
  });
  const [host, port] = addresses.http.split(":");
  const headers = {
    "inference-header-content-length": json.length,
    "content-length": json.length + input.length,
  };
  return new Promise((resolve, reject) => {
    const options = { agent, host, port, method: "POST", path: `/v2/models/${model}/infer` };
    const request = httpRequest({ ...options, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", failed);
      response.on("end", () => {
        const body = Buffer.concat(chunks);
        if (response.statusCode === 200) {
          const head = Number(response.headers["inference-header-content-length"]);
          if (!answer.equals(body.subarray(head))) reject(new Error("a wrong answer"));
          tally.answered++;
        } else if (String(body).includes("Exceeds maximum queue size")) tally.refused++;
        else reject(new Error(`HTTP ${response.statusCode}: ${body}`));
        resolve();
      });
    });
    const failed = (error: Error): void => {
      if (!request.destroyed || !isDying) reject(error);
      tally.abandoned++;
      resolve();
    };
    request.on("error", failed);
    request.end(Buffer.concat([Buffer.from(json), input]));
    if (isDying) setTimeout(() => request.destroy(), dice.below(6));
  });
}

/** A connection with requests on it that is reset by its client. */
async function dieOnGrpc(body: Buffer): Promise<void> {
  const [host, port] = addresses.grpc.split(":");
  const socket = connectTcp(Number(port), host).on("error", () => {});
  const session = connectHttp2(`http://${addresses.grpc}`, { createConnection: () => socket });
  session.on("error", () => {});
  const count = 1 + dice.below(4);
  for (let i = 0; i < count; i++) {
    const headers = { ":method": "POST", ":path": inferPath, "content-type": "application/grpc" };
    const stream = session.request(headers).on("error", () => {});
    stream.resume();
    const isCut = dice.below(2) === 0;
    if (isCut) stream.write(body.subarray(0, dice.below(body.length)));
    else stream.end(body);
    tallies.wild.abandoned++;
  }
  await pause(dice.below(12));
  socket.resetAndDestroy();
  session.destroy();
}

/** Bytes that are no request, or not quite. */
async function stammer(body: Buffer): Promise<void> {
  const isGrpc = dice.below(2) === 0;
  const [host, port] = (isGrpc ? addresses.grpc : addresses.http).split(":");
  const noise = Buffer.from(body);
  for (let i = 0; i < 8; i++) noise[dice.below(noise.length)] = dice.below(256);
  const start = isGrpc
    ? "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    : "POST /v2/models/wild/infer HTTP/1.1\r\n\r\n";
  const socket: Socket = connectTcp(Number(port), host, () => {
    socket.write(Buffer.concat([Buffer.from(start), noise.subarray(0, dice.below(noise.length))]));
  });
  socket.on("error", () => {});
  socket.resume();
  await pause(5 + dice.below(20));
  if (dice.below(2) === 0) socket.resetAndDestroy();
  else socket.destroy();
}

/** A message whose bytes were changed, in a sound frame on a sound connection: it is answered, as ever. */
function mumble(client: TestClient, body: Buffer): Promise<void> {
  const noise = Buffer.from(body.subarray(5));
  for (let i = 0; i < 3; i++) noise[dice.below(40)] = dice.below(256);
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve, reject) => {
    client.raw.makeUnaryRequest(inferPath, same, same, noise, (error: grpc.ServiceError | null) => {
      tallies.wild.abandoned++;
      if (error !== null && error.details === "") reject(new Error("a refusal without a word"));
      resolve();
    });
  });
}

async function reload(): Promise<void> {
  await pause(100 + dice.below(200));
  const url = `http://${addresses.http}/v2/repository/models/${models[dice.below(2)]}/load`;
  const response = await fetch(url, { method: "POST", body: "{}" });
  if (response.status !== 200) throw new Error(await response.text());
}

const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));

/** The metrics page: of each line its number, by name and labels. */
async function metrics(): Promise<(name: string, ...labels: string[]) => number> {
  const page = await (await fetch(`http://${addresses.metrics}/metrics`)).text();
  return (name, ...labels) =>
    page
      .split("\n")
      .filter((line) => new RegExp(`^${name}[ {]`).test(line))
      .filter((line) => labels.every((label) => line.includes(`"${label}"`)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

test(
  "at saturation nothing is wrong or lost, memory stays, counts agree",
  async () => {
    // A connection each: those that wait for every answer must not share one with those that give up.
    const clients = Array.from(
      { length: 4 },
      () => new TestClient(addresses.grpc, undefined, { "grpc.use_local_subchannel_pool": 1 }),
    );
    const body = await encoded(clients[0]);
    const end = performance.now() + 1000 * seconds;
    let [deaths, noises, reloads] = [0, 0, 0];
    const memory: number[] = [];
    const loop = async (step: () => Promise<unknown>): Promise<void> => {
      while (performance.now() < end) await step();
    };
    await Promise.all([
      ...Array.from({ length: 24 }, (_, i) => loop(() => askGrpc(clients[i % 4], models[i % 2]))),
      ...Array.from({ length: 8 }, (_, i) => loop(() => askHttp(models[i % 2]))),
      loop(async () => {
        await dieOnGrpc(body);
        deaths++;
      }),
      loop(async () => {
        await stammer(body);
        noises++;
      }),
      loop(async () => {
        await mumble(clients[1], body);
        noises++;
        await pause(10);
      }),
      loop(async () => {
        await reload();
        reloads++;
      }),
      loop(async () => {
        memory.push((await metrics())("process_resident_memory_bytes") / 2 ** 20);
        await pause(1000);
      }),
    ]);
    await pause(500); // What nobody waits for any more ends.
    const count = await metrics();
    const { sure, wild } = tallies;
    const quarter = Math.floor(memory.length / 4);
    const [early, late] = [memory.slice(quarter, 2 * quarter), memory.slice(-quarter)].map(median);
    const cpu = count("process_cpu_seconds_total");
    console.log(
      `${seconds} s: ${sure.answered + wild.answered} answered, ${sure.refused + wild.refused} refused, ` +
        `${wild.abandoned} abandoned, ${deaths} connections reset, ${noises} malformed, ${reloads} reloads; ` +
        `memory ${early.toFixed(0)} MiB early, ${late.toFixed(0)} MiB late; server CPU ${cpu.toFixed(0)} s`,
    );
    const failure = (model: string, reason: string) =>
      count("nv_inference_request_failure", model, reason);

    // Where every client waits, every request is accounted for.
    expect(count("nv_inference_request_success", "sure")).toBe(sure.answered);
    expect(failure("sure", "REJECTED")).toBe(sure.refused);
    expect(failure("sure", "CANCELED") + failure("sure", "OTHER")).toBe(0);
    // Elsewhere the server has not answered more than was sent, and nothing that was answered is missing.
    const [success, rejected] = [
      count("nv_inference_request_success", "wild"),
      failure("wild", "REJECTED"),
    ];
    const cancelled = failure("wild", "CANCELED");
    expect(success).toBeGreaterThanOrEqual(wild.answered);
    expect(rejected).toBeGreaterThanOrEqual(wild.refused);
    expect(success + rejected + cancelled).toBeGreaterThanOrEqual(wild.answered + wild.refused);
    expect(success + rejected + cancelled).toBeLessThanOrEqual(
      wild.answered + wild.refused + wild.abandoned,
    );
    for (const model of models) {
      expect(failure(model, "BACKEND")).toBe(0);
      const histogram = count("nv_inference_request_duration_histogram_us_count", model);
      expect(histogram).toBe(count("nv_inference_request_success", model));
    }
    expect(count("nv_inference_pending_request_count") + count("nn2fpga_pending_bytes")).toBe(0);
    expect(count("nn2fpga_bytes_in_flight")).toBe(0);
    // It did happen.
    for (const much of [sure.answered, wild.answered])
      expect(much).toBeGreaterThan(100 * seconds ** 0.5);
    for (const some of [wild.abandoned, deaths, noises, reloads]) expect(some).toBeGreaterThan(5);
    expect(late).toBeLessThan(1.25 * early + 16);

    for (const client of clients) client.close();
    agent.destroy();
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  },
  1000 * (seconds + 120),
);

/** The bytes of a request to `wild`, as a client's own library makes them. */
async function encoded(client: TestClient): Promise<Buffer> {
  const { input, rows } = { rows: 4, input: Buffer.alloc(32, 1) };
  const { requestSerialize } = (client.raw.constructor as { service: grpc.ServiceDefinition })
    .service["ModelInfer"];
  const request = { ...headerOf("wild", rows), raw_input_contents: [input] };
  return frame(requestSerialize(request));
}
