import { mkdtempSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../../src/base/index.ts";
import { frame } from "../../src/serve/grpc/framing.ts";
import { planServer, type RunningServer, startServer } from "../../src/serve/index.ts";
import {
  GRPCInferenceService,
  ModelInferRequestSchema,
} from "../../src/serve/proto/inference_pb.ts";
import { writeEchoRepository } from "../support/serve/echo-repository.ts";
import { conversation, fuzzConnection } from "../support/serve/http2-fuzz.ts";
import { inferRequest, silent, TestClient } from "../support/serve/wires.ts";

/** Requests of each kind; all together ten thousand, and as many again of HTTP/2 without a socket. */
const counts = { message: 4000, frames: 2000, json: 3000, bytes: 1000 };
const connections = { onSockets: 1500, alone: 20_000 };

const raw = Buffer.from(Float32Array.from({ length: 32 }, (_, at) => at).buffer);
const message = Buffer.from(
  toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: "echo_fp32",
      id: "1",
      parameters: { priority: { parameterChoice: { case: "uint64Param", value: 1n } } },
      inputs: [{ name: "INPUT0", datatype: "FP32", shape: [2n, 16n] }],
      outputs: [{ name: "OUTPUT0" }],
      rawInputContents: [raw],
    }),
  ),
);
const json = JSON.stringify({
  id: "1",
  parameters: { priority: 1, binary_data_output: true },
  inputs: [{ name: "INPUT0", datatype: "FP32", shape: [2, 16], data: [...Array(32).keys()] }],
  outputs: [{ name: "OUTPUT0", parameters: { binary_data: false } }],
});

let random = new Random(1);
const below = (limit: number) => random.below(limit);

/** Some bytes changed, removed, doubled, or put in. */
function mutate(original: Uint8Array): Buffer {
  let bytes = Buffer.from(original);
  for (let count = 1 + below(4); count > 0; count--) {
    const at = below(bytes.length + 1);
    const size = below(8) + 1;
    switch (below(5)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - size))]);
        break;
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.alloc(size, 0xff),
          bytes.subarray(at),
        ]);
        break;
      default:
        bytes = bytes.subarray(0, at);
    }
  }
  return bytes;
}

describe("ten thousand malformed requests", () => {
  const folder = mkdtempSync(join(tmpdir(), "n2f-fuzz-"));
  let server: RunningServer;
  let grpc = "";
  let http = "";
  let witness: TestClient;
  let isOver = false;
  let witnessed: Promise<number>;

  beforeAll(async () => {
    writeEchoRepository(folder);
    const ports = { "http-port": 0, "grpc-port": 0, "metrics-port": "off" } as const;
    server = await startServer(planServer({ repository: folder, ...ports }), silent);
    await server.loaded;
    [grpc, http] = ["grpc", "http"].map(
      (name) => server.frontEnds.find((frontEnd) => frontEnd.name === name)?.address ?? "",
    );
    witness = new TestClient(grpc);
    witnessed = watch();
  });
  afterAll(async () => {
    isOver = true;
    // The other client's requests all went well, and nothing is held in the end.
    expect(await witnessed).toBeGreaterThan(100);
    expect(server.core.pressure.bytesInFlight).toBe(0);
    witness.close();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  /** Another client, whose requests must go on. */
  async function watch(): Promise<number> {
    let answered = 0;
    while (!isOver) {
      const reply = await witness.call(
        "ModelInfer",
        inferRequest("echo_fp32", "FP32", [2, 16], raw),
      );
      expect(reply.raw_output_contents[0].equals(raw)).toBe(true);
      answered++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return answered;
  }

  /** Status and message of a call with the given body; a reset has neither. */
  function ask(session: ClientHttp2Session, path: string, pieces: readonly Buffer[]) {
    return new Promise<{ status: string; message: string }>((resolve) => {
      const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc" };
      const stream = session.request(headers);
      let [status, text] = ["reset", ""];
      const take = (given: Record<string, unknown>) => {
        if (given["grpc-status"] === undefined) return;
        status = String(given["grpc-status"]);
        text = String(given["grpc-message"] ?? "");
      };
      stream.on("response", take);
      stream.on("trailers", take);
      stream.on("error", () => {});
      stream.on("close", () => resolve({ status, message: text }));
      stream.resume();
      for (const piece of pieces) stream.write(piece);
      stream.end();
    });
  }

  async function inParallel(count: number, step: (index: number) => Promise<void>): Promise<void> {
    let next = 0;
    const work = async () => {
      while (next < count) await step(next++);
    };
    await Promise.all(Array.from({ length: 16 }, work));
  }

  test("protocol buffers in sound frames, of every method", async () => {
    random = new Random(2);
    const session = connect(`http://${grpc}`);
    const statuses = new Map<string, number>();
    const methods = GRPCInferenceService.methods.map(
      ({ name }) => `/${GRPCInferenceService.typeName}/${name}`,
    );
    await inParallel(counts.message, async (index) => {
      const isOther = index % 4 === 0;
      const path = isOther ? methods[below(methods.length)] : methods[5];
      const { status, message: text } = await ask(session, path, [frame(mutate(message))]);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      expect(status).toMatch(/^\d+$/);
      if (status !== "0") expect(text).not.toBe("");
    });
    expect([...statuses.keys()].length).toBeGreaterThan(2);
    expect(statuses.get("13") ?? 0).toBe(0); // Nothing that we did not foresee.
    session.destroy();
  });

  test("frames", async () => {
    random = new Random(3);
    const session = connect(`http://${grpc}`);
    const path = `/${GRPCInferenceService.typeName}/ModelInfer`;
    const streamPath = `/${GRPCInferenceService.typeName}/ModelStreamInfer`;
    await inParallel(counts.frames, async (index) => {
      const body = mutate(Buffer.concat([frame(message), frame(message)]));
      const cut = below(body.length + 1);
      const pieces = [body.subarray(0, cut), body.subarray(cut)];
      const { status, message: text } = await ask(session, index % 2 ? path : streamPath, pieces);
      expect(status).toMatch(/^\d+$/);
      if (status !== "0") expect(text).not.toBe("");
    });
    session.destroy();
  });

  test("JSON", async () => {
    random = new Random(4);
    await inParallel(counts.json, async (index) => {
      const isBinary = index % 3 === 0;
      const body = mutate(Buffer.from(isBinary ? `${json}${raw}` : json));
      const length = isBinary
        ? { "Inference-Header-Content-Length": String(below(json.length * 2)) }
        : {};
      const response = await fetch(`http://${http}/v2/models/echo_fp32/infer`, {
        method: "POST",
        body: new Uint8Array(body),
        headers: length,
      });
      const text = await response.text();
      expect([200, 400, 404, 501, 503]).toContain(response.status);
      if (response.status !== 200) expect(JSON.parse(text).error).not.toBe("");
    });
  });

  test("bytes of whole connections, HTTP/2 and HTTP/1.1", async () => {
    random = new Random(5);
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    const headers = Buffer.from([0, 0, 4, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 0x84, 0x87]);
    const data = Buffer.concat([Buffer.from([0, 0, 64, 0, 1, 0, 0, 0, 1]), raw.subarray(0, 64)]);
    const http2 = Buffer.concat([settings, headers, data]);
    const http1 = Buffer.from(
      `POST /v2/models/echo_fp32/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
    );
    await inParallel(counts.bytes, async (index) => {
      const isHttp2 = index % 2 === 0;
      const bytes = isHttp2 ? Buffer.concat([preface, mutate(http2)]) : mutate(http1);
      const [host, port] = (isHttp2 ? grpc : http).split(":");
      await new Promise<void>((resolve) => {
        const socket = connectTcp(Number(port), host, () => socket.end(bytes));
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        socket.setTimeout(300, () => socket.destroy());
        socket.resume();
      });
    });
    const live = await fetch(`http://${http}/v2/health/live`);
    expect(live.status).toBe(200);
  });

  test("conversations of HTTP/2 with broken frames, of which some call", async () => {
    random = new Random(6);
    const body = Buffer.concat([frame(message), frame(message)]);
    const methods = ["ModelInfer", "ModelStreamInfer", "ServerReady", "NoSuch"];
    await inParallel(connections.onSockets, async () => {
      const path = `/${GRPCInferenceService.typeName}/${methods[below(methods.length)]}`;
      const fields = [
        [":path", path],
        ["content-type", "application/grpc"],
      ] as const;
      const bytes = conversation(random, fields, body);
      const [host, port] = grpc.split(":");
      await new Promise<void>((resolve) => {
        const socket = connectTcp(Number(port), host, () => {
          const cut = below(bytes.length);
          socket.write(bytes.subarray(0, cut));
          setImmediate(() => {
            if (below(10) === 0) socket.resetAndDestroy();
            else socket.end(bytes.subarray(cut));
          });
        });
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        // Some do not read.
        if (below(4) === 0) socket.setTimeout(50, () => socket.destroy());
        else socket.resume();
      });
    });
  });

  test("twenty thousand conversations on connections without a socket", async () => {
    const before = process.memoryUsage().rss;
    for (let seed = 1; seed <= connections.alone; seed++) {
      try {
        await fuzzConnection(seed);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });
});
