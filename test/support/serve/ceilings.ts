import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import * as protoLoader from "@grpc/proto-loader";
import { frame } from "../../../src/serve/grpc/framing.ts";
import type { GrpcServer } from "../../../src/serve/grpc/server.ts";
import { HttpServer } from "../../../src/serve/http/server.ts";
import { ModelInferRequestSchema } from "../../../src/serve/proto/inference_pb.ts";
import { FakeCore } from "./fake-core.ts";
import { frontEndOptions, type Reply, silent, startGrpcServer } from "./wires.ts";

const path = "/inference.GRPCInferenceService/ModelInfer";

/**
 * Kinds of request, with the most CPU time that one may take of what grpc-js takes, in the same run. The
 * ratios are about 0.17, 0.25 and 0.22; other work on the machine blurs them a little.
 */
export const kinds = [
  { model: "small", shape: [1, 16], outputBytes: 64, requests: 6000, most: 0.35 },
  { model: "image", shape: [1, 224, 224, 3], outputBytes: 4000, requests: 600, most: 0.35 },
  { model: "facile", shape: [16_000, 18], outputBytes: 64_000, requests: 500, most: 0.4 },
] as const;

export type Kind = (typeof kinds)[number];

const bodyOf = ({ model, shape }: Kind): Buffer => {
  const raw = Buffer.alloc(
    shape.reduce((product, size) => product * size, 4),
    1,
  );
  const input = { name: "INPUT0", datatype: "FP32", shape: shape.map(BigInt) };
  const message = { modelName: model, id: "1", inputs: [input], rawInputContents: [raw] };
  return frame(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, message)));
};

const outputs = new Map(kinds.map(({ model, outputBytes }) => [model, Buffer.alloc(outputBytes)]));

/** A server of grpc-js that does the same: decodes, copies the tensor, answers. */
async function startGrpcJs(): Promise<{ readonly server: grpc.Server; readonly port: number }> {
  const includeDirs = [new URL("../../../proto", import.meta.url).pathname];
  const loaded = protoLoader.loadSync("inference.proto", { includeDirs, keepCase: true });
  const { inference } = grpc.loadPackageDefinition(loaded) as Reply;
  const device = Buffer.alloc(2 * 1024 * 1024);
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  server.addService(inference.GRPCInferenceService.service, {
    ModelInfer({ request }: Reply, done: Reply) {
      request.raw_input_contents[0].copy(device);
      const raw = outputs.get(request.model_name) as Buffer;
      done(null, {
        model_name: request.model_name,
        model_version: "1",
        id: request.id,
        outputs: [{ name: "OUTPUT0", datatype: "FP32", shape: [1, raw.length / 4] }],
        raw_output_contents: [raw],
      });
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { server, port };
}

/** Whether the load generator of nghttp2 is here (Debian: nghttp2-client). */
export function hasH2load(): boolean {
  try {
    execFileSync("h2load", ["--version"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

/** Rounds of which the least disturbed counts; one before them warms up. */
const rounds = 3;

/** Our server and one of grpc-js in this process, behind nothing that computes: what a request costs in either. */
export class Ceilings {
  readonly core: FakeCore;
  readonly #ours: GrpcServer;
  readonly #theirs: Awaited<ReturnType<typeof startGrpcJs>>;
  readonly #folder = mkdtempSync(join(tmpdir(), "n2f-ceilings-"));

  private constructor(
    core: FakeCore,
    ours: GrpcServer,
    theirs: Awaited<ReturnType<typeof startGrpcJs>>,
  ) {
    this.core = core;
    this.#ours = ours;
    this.#theirs = theirs;
  }

  static async start(): Promise<Ceilings> {
    const core = new FakeCore(
      kinds.map(({ model, shape }) => ({
        name: model,
        datatype: "FP32",
        dims: shape.slice(1),
        maxBatch: 16_000,
        run: () => outputs.get(model) as Buffer,
      })),
    );
    return new Ceilings(core, await startGrpcServer(core), await startGrpcJs());
  }

  async close(): Promise<void> {
    this.#theirs.server.forceShutdown();
    await this.#ours.close(0);
    rmSync(this.#folder, { recursive: true });
  }

  /** CPU microseconds of a request over gRPC: here, and in a server of grpc-js. */
  async grpc(kind: Kind): Promise<{ readonly us: number; readonly reference: number }> {
    const file = join(this.#folder, kind.model);
    writeFileSync(file, bodyOf(kind));
    const [us, reference] = await leastOf(
      [this.#ours.address, `127.0.0.1:${this.#theirs.port}`].map(
        (address) => () => cost(`http://${address}${path}`, file, kind.requests),
      ),
    );
    return { us, reference };
  }

  /** CPU microseconds of a small request over HTTP with binary tensors, over gRPC, and in a server of grpc-js. */
  async http(): Promise<{
    readonly us: number;
    readonly grpc: number;
    readonly reference: number;
  }> {
    const [kind] = kinds;
    const http = await new HttpServer(this.core, frontEndOptions, silent).start(0);
    const input = { name: "INPUT0", datatype: "FP32", shape: [1, 16] };
    const json = JSON.stringify({
      id: "1",
      parameters: { binary_data_output: true },
      inputs: [{ ...input, parameters: { binary_data_size: 64 } }],
    });
    const file = join(this.#folder, "small.http");
    writeFileSync(file, Buffer.concat([Buffer.from(json), Buffer.alloc(64, 1)]));
    const grpcFile = join(this.#folder, kind.model);
    writeFileSync(grpcFile, bodyOf(kind));
    const headers = ["--h1", "-H", `inference-header-content-length: ${json.length}`];
    const url = `http://${http.address}/v2/models/small/infer`;
    const theirs = `127.0.0.1:${this.#theirs.port}`;
    const [us, grpc, reference] = await leastOf([
      () => cost(url, file, kind.requests, headers),
      () => cost(`http://${this.#ours.address}${path}`, grpcFile, kind.requests),
      () => cost(`http://${theirs}${path}`, grpcFile, kind.requests),
    ]);
    await http.close(0);
    return { us, grpc, reference };
  }

  /** Milliseconds of an image over a round trip of 10 ms: here, and with grpc-js. */
  async distance(): Promise<{ readonly ms: number; readonly reference: number }> {
    const body = bodyOf(kinds[1]);
    return {
      ms: await throughDelay(this.#ours.address, body),
      reference: await throughDelay(`127.0.0.1:${this.#theirs.port}`, body),
    };
  }
}

async function leastOf(measures: readonly (() => Promise<number>)[]): Promise<number[]> {
  const best = measures.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round <= rounds; round++) {
    for (const [at, measure] of measures.entries()) {
      const us = await measure();
      if (round > 0) best[at] = Math.min(best[at], us);
    }
  }
  return best;
}

/** CPU microseconds of this process for each of `count` requests that h2load sends it. */
async function cost(
  url: string,
  file: string,
  count: number,
  headers: readonly string[] = ["-H", "content-type: application/grpc", "-H", "te: trailers"],
): Promise<number> {
  const load = ["-n", String(count), "-c", "50", "-w", "24", "-W", "24", "-d", file];
  const before = process.cpuUsage();
  const text = await new Promise<string>((resolve, reject) => {
    execFile("h2load", [...load, ...headers, url], { timeout: 60_000 }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
  });
  if (!text.includes(`${count} succeeded`)) throw new Error(`h2load: ${text}`);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

/** Least milliseconds of a request through a proxy that holds everything back for 5 ms each way. */
async function throughDelay(address: string, body: Buffer): Promise<number> {
  const [host, port] = address.split(":");
  const later = (from: Socket, to: Socket): void => {
    from.on("data", (chunk) => setTimeout(() => to.destroyed || to.write(chunk), 5));
    from.on("close", () => setTimeout(() => to.destroy(), 5));
    from.on("error", () => {});
  };
  const proxy = createServer((client) => {
    const server = connectTcp({ host, port: Number(port), noDelay: true });
    client.setNoDelay(true);
    later(client, server);
    later(server, client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port: taken } = proxy.address() as { port: number };
  const session = connect(`http://127.0.0.1:${taken}`);
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  await new Promise((resolve) => setTimeout(resolve, 50)); // The window's update is on its way.
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count < 15; count++) {
    const start = performance.now();
    await new Promise<void>((resolve, reject) => {
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("trailers", (trailers) => {
        if (trailers["grpc-status"] !== "0") reject(new Error(String(trailers["grpc-message"])));
      });
      stream.on("close", resolve);
      stream.on("error", reject);
      stream.resume();
      stream.end(body);
    });
    least = Math.min(least, performance.now() - start);
  }
  session.destroy();
  proxy.close();
  return least;
}
