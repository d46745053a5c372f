import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Random } from "../../../../src/base/index.ts";
import { frame } from "../../../../src/serve/grpc/framing.ts";
import type { GrpcServer } from "../../../../src/serve/grpc/server.ts";
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  ModelStreamInferResponseSchema,
} from "../../../../src/serve/proto/inference_pb.ts";
import { FakeCore } from "../../../support/serve/fake-core.ts";
import { soon, turns } from "../../../support/serve/http2.ts";
import { RawGrpc } from "../../../support/serve/raw-grpc.ts";
import { startGrpcServer } from "../../../support/serve/wires.ts";

const infer = "/inference.GRPCInferenceService/ModelInfer";
const streamInfer = "/inference.GRPCInferenceService/ModelStreamInfer";

let core: FakeCore;
let server: GrpcServer;
let clients: RawGrpc[];

beforeEach(async () => {
  core = new FakeCore([
    { name: "echo", datatype: "UINT8", dims: [-1], maxBatch: 0 },
    { name: "slow", datatype: "UINT8", dims: [-1], maxBatch: 0, delayMs: 30 },
    { name: "slower", datatype: "UINT8", dims: [-1], maxBatch: 0, delayMs: 200 },
  ]);
  server = await startGrpcServer(core);
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.close();
  await server.close(0);
  expect(core.held).toBe(0);
});

function newClient(window?: number): RawGrpc {
  const client = new RawGrpc(server.address, new Random(3), window);
  clients.push(client);
  return client;
}

function encode(model: string, id: number, tensor: Buffer): Buffer {
  return frame(
    toBinary(
      ModelInferRequestSchema,
      create(ModelInferRequestSchema, {
        modelName: model,
        id: String(id),
        inputs: [{ name: "INPUT0", datatype: "UINT8", shape: [BigInt(tensor.length)] }],
        rawInputContents: [tensor],
      }),
    ),
  );
}

const tensorOf = (id: number, length = 50): Buffer => Buffer.alloc(length, id % 251);

function expectAnswers(messages: readonly Buffer[], count: number, length = 50): void {
  expect(messages).toHaveLength(count);
  for (const [at, bytes] of messages.entries()) {
    const { errorMessage, inferResponse } = fromBinary(ModelStreamInferResponseSchema, bytes);
    expect(errorMessage).toBe("");
    expect(inferResponse?.id).toBe(String(at));
    const [output] = inferResponse?.rawOutputContents ?? [];
    expect(Buffer.compare(output, tensorOf(at, length))).toBe(0);
  }
}

const requests = (model: string, count: number, length = 50): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => encode(model, at, tensorOf(at, length))));

describe("ModelStreamInfer", () => {
  test("more requests than may be open: the rest waits, and nothing is lost", async () => {
    const client = newClient();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, core.held);
    });
    const answer = client.call(streamInfer, requests("slower", 600, 2000));
    expectAnswers((await answer).messages, 600, 2000);
    clearInterval(watch);
    // 256, and those in the piece in hand.
    expect(most).toBeGreaterThan(50);
    expect(most).toBeLessThan(500);
  });

  test("a client that takes its answers late, while another of its streams goes on", async () => {
    const client = newClient(0);
    const many = client.call(streamInfer, requests("echo", 400, 3000));
    await soon(() => core.begun).toBeGreaterThan(0);
    await turns(300);
    // Nothing more is read as long as answers wait.
    expect(core.begun).toBeLessThan(100);
    // Others' windows open, which wakes whoever waits for a window.
    for (let round = 0; round < 3; round++) {
      const other = client.call(infer, encode("echo", 7, tensorOf(7)));
      await client.send(client.window(2 * round + 3, 1000));
      const [message] = (await other).messages;
      const { rawOutputContents } = fromBinary(ModelInferResponseSchema, message);
      expect(Buffer.compare(rawOutputContents[0], tensorOf(7))).toBe(0);
    }
    for (let given = 0; given < 5_000_000; given += 50_000) {
      await client.send(client.window(1, 50_000));
    }
    expectAnswers((await many).messages, 400, 3000);
  });

  test("little memory in the middle of a stream", async () => {
    const client = newClient();
    const answer = client.call(streamInfer, requests("slow", 300));
    await soon(() => core.begun).toBeGreaterThan(3);
    core.pressure.isHigh = true;
    await turns(360);
    core.relieve();
    await turns(30);
    core.pressure.isHigh = true;
    await turns(120);
    core.relieve();
    expectAnswers((await answer).messages, 300);
  });
});

describe("requests that come while memory is short", () => {
  test("wait with their bytes, and are served in the end", async () => {
    core.pressure.isHigh = true;
    const client = newClient();
    const tensors = [10, 5000, 300_000].map((length, at) => tensorOf(at + 1, length));
    const calls = tensors.map((tensor, at) => client.call(infer, encode("echo", at, tensor)));
    const stream = client.call(streamInfer, requests("echo", 20));
    await turns(480);
    expect(core.begun).toBe(0);
    core.relieve();
    for (const [at, call] of calls.entries()) {
      const [message] = (await call).messages;
      const { rawOutputContents } = fromBinary(ModelInferResponseSchema, message);
      expect(Buffer.compare(rawOutputContents[0], tensors[at])).toBe(0);
    }
    expectAnswers((await stream).messages, 20);
  });

  test("are given up with their client, and refused where too much waits", async () => {
    core.pressure.isHigh = true;
    core.pressure.limitBytes = 100_000;
    const gone = newClient();
    void gone.call(infer, encode("echo", 1, tensorOf(1, 90_000)));
    await turns(360);
    const client = newClient();
    const waits = client.call(infer, encode("echo", 2, tensorOf(2, 90_000)));
    await turns(360);
    const { fields } = await client.call(infer, encode("echo", 3, tensorOf(3)));
    expect(fields.get("grpc-status")).toBe("14");
    expect(fields.get("grpc-message")).toContain("short of memory");
    gone.close();
    await turns(120);
    // What the client took with it counts no more.
    const fits = client.call(infer, encode("echo", 4, tensorOf(4)));
    await turns(120);
    core.relieve();
    expect((await waits).messages).toHaveLength(1);
    expect((await fits).messages).toHaveLength(1);
    expect(core.begun).toBe(2);
  });
});
