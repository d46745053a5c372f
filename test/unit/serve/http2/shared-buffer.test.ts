import { connect } from "node:net";
import { deflateSync, gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Random } from "../../../../src/base/index.ts";
import { frame } from "../../../../src/serve/grpc/framing.ts";
import type { GrpcServer } from "../../../../src/serve/grpc/server.ts";
import { HttpServer } from "../../../../src/serve/http/server.ts";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
} from "../../../../src/serve/proto/health_pb.ts";
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  ModelMetadataRequestSchema,
  ModelMetadataResponseSchema,
  ModelStreamInferResponseSchema,
} from "../../../../src/serve/proto/inference_pb.ts";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../../../src/serve/proto/reflection_v1_pb.ts";
import { DataType } from "../../../../src/serve/proto/tensorflow_pb.ts";
import {
  PredictRequestSchema,
  PredictResponseSchema,
} from "../../../../src/serve/proto/tensorflow_serving_pb.ts";
import { FakeCore } from "../../../support/serve/fake-core.ts";
import { RawGrpc } from "../../../support/serve/raw-grpc.ts";
import { frontEndOptions, silent, startGrpcServer } from "../../../support/serve/wires.ts";

// Overwritten as soon as it has been handed on, so that a view that is kept shows at once.
vi.mock("../../../../src/serve/wire/read-socket.ts", async (importOriginal) => {
  const original =
    await importOriginal<typeof import("../../../../src/serve/wire/read-socket.ts")>();
  const readSocket: typeof original.readSocket = (socket, take) =>
    original.readSocket(socket, (bytes) => {
      take(bytes);
      bytes.fill(0xa5);
    });
  return { ...original, readSocket };
});

const core = new FakeCore([
  { name: "bytes", datatype: "UINT8", dims: [-1], maxBatch: 0 },
  { name: "floats", datatype: "FP32", dims: [-1], maxBatch: 0 },
  { name: "longs", datatype: "INT64", dims: [-1], maxBatch: 0 },
  { name: "texts", datatype: "BYTES", dims: [-1], maxBatch: 0 },
]);
let grpc: GrpcServer;
let http: HttpServer;

beforeAll(async () => {
  grpc = await startGrpcServer(core);
  http = await new HttpServer(core, frontEndOptions, silent).start(0);
});
afterAll(async () => {
  await grpc.close(0);
  await http.close(0);
  expect(core.held).toBe(0);
});

const inference = "/inference.GRPCInferenceService/";
const random = new Random(7);
const noise = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => random.below(256)));
const sizes = () => 1 + random.below(random.below(3) === 0 ? 40_000 : 600);

const requestOf = (model: string, datatype: string, count: number, more: object) =>
  create(ModelInferRequestSchema, {
    modelName: model,
    id: `id-${random.below(1e6)}`,
    parameters: {
      note: { parameterChoice: { case: "stringParam", value: "n".repeat(random.below(300)) } },
    },
    inputs: [{ name: "INPUT0", datatype, shape: [BigInt(count)], ...more }],
    outputs: [{ name: "OUTPUT0" }],
  });
const encode = (request: ReturnType<typeof requestOf>): Buffer =>
  Buffer.from(toBinary(ModelInferRequestSchema, request));
/** The field `raw_input_contents`. */
const rawField = (tensor: Buffer): Buffer =>
  Buffer.from(
    toBinary(
      ModelInferRequestSchema,
      create(ModelInferRequestSchema, { rawInputContents: [tensor] }),
    ),
  );

async function infer(client: RawGrpc, message: Buffer, id: string, expected: Buffer, coding = "") {
  const body = frame(message);
  if (coding !== "") body[0] = 1;
  const fields = coding === "" ? [] : [["grpc-encoding", coding] as const];
  const { messages, fields: answered } = await client.call(`${inference}ModelInfer`, body, fields);
  expect(answered.get("grpc-message") ?? "").toBe("");
  expect(messages).toHaveLength(1);
  const response = fromBinary(ModelInferResponseSchema, messages[0]);
  expect(response.id).toBe(id);
  expect(Buffer.compare(response.rawOutputContents[0], expected)).toBe(0);
}

/** One request of each kind over gRPC. */
const kinds: Record<string, (client: RawGrpc) => Promise<void>> = {
  async raw(client) {
    const tensor = noise(sizes());
    const request = requestOf("bytes", "UINT8", tensor.length, {});
    await infer(client, Buffer.concat([encode(request), rawField(tensor)]), request.id, tensor);
  },
  async "raw in front of the header"(client) {
    const tensor = noise(sizes());
    const request = requestOf("bytes", "UINT8", tensor.length, {});
    await infer(client, Buffer.concat([rawField(tensor), encode(request)]), request.id, tensor);
  },
  async "raw in the middle of the header"(client) {
    const tensor = noise(sizes());
    const request = requestOf("bytes", "UINT8", tensor.length, {});
    const more = create(ModelInferRequestSchema, { id: "later" });
    const late = Buffer.from(toBinary(ModelInferRequestSchema, more));
    await infer(client, Buffer.concat([encode(request), rawField(tensor), late]), "later", tensor);
  },
  async "typed floats"(client) {
    const values = Float32Array.from({ length: sizes() % 5000 }, () => random.below(1000) / 8);
    const contents = { fp32Contents: [...values] };
    const request = requestOf("floats", "FP32", values.length, { contents });
    await infer(client, encode(request), request.id, Buffer.from(values.buffer));
  },
  async "typed integers"(client) {
    const values = BigInt64Array.from(
      { length: 500 },
      () => BigInt(random.below(1e9)) - 500_000_000n,
    );
    const contents = { int64Contents: [...values] };
    const request = requestOf("longs", "INT64", values.length, { contents });
    await infer(client, encode(request), request.id, Buffer.from(values.buffer));
  },
  async "typed strings"(client) {
    const texts = Array.from({ length: 40 }, () => noise(random.below(400)));
    const raw = texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return [length, text];
    });
    const request = requestOf("texts", "BYTES", texts.length, {
      contents: { bytesContents: texts },
    });
    await infer(client, encode(request), request.id, Buffer.concat(raw));
  },
  async gzip(client) {
    const tensor = noise(sizes());
    const request = requestOf("bytes", "UINT8", tensor.length, {});
    const message = Buffer.concat([encode(request), rawField(tensor)]);
    await infer(client, gzipSync(message), request.id, tensor, "gzip");
  },
  async deflate(client) {
    const tensor = noise(sizes());
    const request = requestOf("bytes", "UINT8", tensor.length, {});
    const message = Buffer.concat([encode(request), rawField(tensor)]);
    await infer(client, deflateSync(message), request.id, tensor, "deflate");
  },
  async "a stream of requests"(client) {
    const tensors = Array.from({ length: 8 }, () => noise(sizes()));
    const bodies = tensors.map((tensor, at) => {
      const request = requestOf("bytes", "UINT8", tensor.length, {});
      const message = Buffer.concat([encode(request), rawField(tensor)]);
      if (at % 3 !== 0) return frame(message);
      const body = frame(gzipSync(message));
      body[0] = 1;
      return body;
    });
    const path = `${inference}ModelStreamInfer`;
    const { messages } = await client.call(path, Buffer.concat(bodies), [
      ["grpc-encoding", "gzip"],
    ]);
    const answers = messages.map((bytes) => fromBinary(ModelStreamInferResponseSchema, bytes));
    expect(answers.map(({ errorMessage }) => errorMessage)).toEqual(tensors.map(() => ""));
    for (const [at, { inferResponse }] of answers.entries()) {
      const [output] = inferResponse?.rawOutputContents ?? [];
      expect(Buffer.compare(output, tensors[at])).toBe(0);
    }
  },
  async metadata(client) {
    const name = ["bytes", "floats", "longs", "texts"][random.below(4)];
    const message = toBinary(
      ModelMetadataRequestSchema,
      create(ModelMetadataRequestSchema, { name }),
    );
    const { messages } = await client.call(`${inference}ModelMetadata`, frame(message));
    expect(fromBinary(ModelMetadataResponseSchema, messages[0]).name).toBe(name);
  },
  async health(client) {
    const service = ["bytes", "floats", "liveness", ""][random.below(4)];
    const message = toBinary(
      HealthCheckRequestSchema,
      create(HealthCheckRequestSchema, { service }),
    );
    const { messages } = await client.call("/grpc.health.v1.Health/Check", frame(message));
    expect(fromBinary(HealthCheckResponseSchema, messages[0]).status).toBe(1);
  },
  async reflection(client) {
    const hosts = Array.from({ length: 5 }, () => `host-${random.below(1e6)}`);
    const bodies = hosts.map((host) =>
      frame(
        toBinary(
          ServerReflectionRequestSchema,
          create(ServerReflectionRequestSchema, {
            host,
            messageRequest: { case: "fileContainingSymbol", value: "grpc.health.v1.Health" },
          }),
        ),
      ),
    );
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const { messages } = await client.call(path, Buffer.concat(bodies));
    const answers = messages.map((bytes) => fromBinary(ServerReflectionResponseSchema, bytes));
    expect(answers.map(({ validHost }) => validHost)).toEqual(hosts);
    expect(new Set(answers.map(({ messageResponse }) => messageResponse.case))).toEqual(
      new Set(["fileDescriptorResponse"]),
    );
  },
  async "TensorFlow Serving"(client) {
    const tensorContent = noise(sizes());
    const request = create(PredictRequestSchema, {
      modelSpec: { name: "bytes" },
      inputs: {
        INPUT0: {
          dtype: DataType.DT_UINT8,
          tensorShape: { dim: [{ size: BigInt(tensorContent.length) }] },
          tensorContent,
        },
      },
    });
    const { messages } = await client.call(
      "/tensorflow.serving.PredictionService/Predict",
      frame(toBinary(PredictRequestSchema, request)),
    );
    const { outputs } = fromBinary(PredictResponseSchema, messages[0]);
    expect(Buffer.compare(outputs["OUTPUT0"].tensorContent, tensorContent)).toBe(0);
  },
};

test("gRPC: many connections at once, each byte arrives where it should", async () => {
  const names = Object.keys(kinds);
  const counts = new Map<string, number>();
  const work = async (worker: number): Promise<void> => {
    const client = new RawGrpc(grpc.address, random);
    for (let round = 0; round < 4; round++) {
      const both = [worker + round, worker + round * 5].map((at) => names[at % names.length]);
      for (const name of both) counts.set(name, (counts.get(name) ?? 0) + 1);
      await Promise.all(both.map((name) => kinds[name](client)));
    }
    client.close();
  };
  await Promise.all(Array.from({ length: 39 }, (_, worker) => work(worker)));
  for (const name of names) expect(counts.get(name)).toBeGreaterThan(10);
});

/** Sends a request of HTTP/1.1 in small pieces and gives the body of the answer. */
function exchange(lines: string, body: Buffer): Promise<{ head: string; body: Buffer }> {
  const [host, port] = http.address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => {
      const whole = Buffer.concat(chunks);
      const end = whole.indexOf("\r\n\r\n") + 4;
      resolve({ head: whole.toString("latin1", 0, end), body: whole.subarray(end) });
    });
    const bytes = Buffer.concat([Buffer.from(lines), body]);
    const send = async () => {
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random.below(random.below(3) === 0 ? 20 : 1500);
        socket.write(bytes.subarray(at, end));
        at = end;
        await new Promise((next) => setImmediate(next));
      }
    };
    void send();
  });
}

function chunked(body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = Math.min(body.length, at + 1 + random.below(2000));
    const text = `${(end - at).toString(16)};x=y\r\n`;
    pieces.push(Buffer.from(text), body.subarray(at, end), Buffer.from("\r\n"));
    at = end;
  }
  return Buffer.concat([...pieces, Buffer.from("0\r\nTrailer: x\r\n\r\n")]);
}

test("HTTP/1.1: JSON, binary, compressed, chunked", async () => {
  const work = async (worker: number): Promise<void> => {
    const values = noise(sizes() % 5000);
    const isBinary = worker % 2 === 0;
    const coding = ["", "gzip", "deflate"][worker % 3];
    const isChunked = worker % 5 < 2;
    const json = JSON.stringify({
      id: `${worker}-${random.below(1e6)}`,
      inputs: [
        {
          name: "INPUT0",
          datatype: "UINT8",
          shape: [values.length],
          ...(isBinary
            ? { parameters: { binary_data_size: values.length } }
            : { data: [...values] }),
        },
      ],
      outputs: [{ name: "OUTPUT0", parameters: { binary_data: isBinary } }],
    });
    let body: Buffer = Buffer.from(json);
    if (isBinary) body = Buffer.concat([body, values]);
    if (coding !== "") body = (coding === "gzip" ? gzipSync : deflateSync)(body);
    if (isChunked) body = chunked(body);
    const lines = [
      "POST /v2/models/bytes/infer HTTP/1.1",
      "Host: x",
      "Connection: close",
      isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`,
      ...(isBinary ? [`Inference-Header-Content-Length: ${json.length}`] : []),
      ...(coding === "" ? [] : [`Content-Encoding: ${coding}`]),
    ];
    const answer = await exchange(`${lines.join("\r\n")}\r\n\r\n`, body);
    expect(answer.head).toContain("HTTP/1.1 200");
    if (isBinary) {
      expect(answer.body.subarray(-values.length).equals(values)).toBe(true);
    } else {
      const { id, outputs } = JSON.parse(answer.body.toString());
      expect(id).toBe(JSON.parse(json).id);
      expect(Buffer.from(outputs[0].data).equals(values)).toBe(true);
    }
  };
  await Promise.all(Array.from({ length: 60 }, (_, worker) => work(worker)));
});
