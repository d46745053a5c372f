import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { outputsOf, prepareRequest } from "../../../src/bench/request.ts";
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
} from "../../../src/serve/proto/index.ts";

const bytes = new Uint8Array(Float32Array.of(1, -2, 3).buffer);
const tensor = { name: "x", datatype: "FP32", shape: [1, 3], bytes };

test("a gRPC request is one message with its length in front", () => {
  const { body, path, headers } = prepareRequest("grpc", "net", [tensor]);
  expect(path).toBe("/inference.GRPCInferenceService/ModelInfer");
  expect(headers).toMatchObject({ te: "trailers" });
  expect(body[0]).toBe(0);
  expect(body.readUInt32BE(1)).toBe(body.length - 5);
  const message = fromBinary(ModelInferRequestSchema, body.subarray(5));
  expect(message.modelName).toBe("net");
  expect(message.inputs[0].shape).toEqual([1n, 3n]);
  expect([...message.rawInputContents[0]]).toEqual([...bytes]);
});

test("an HTTP request is JSON and then the bytes", () => {
  const { body, path, headers } = prepareRequest("http", "a b", [tensor]);
  expect(path).toBe("/v2/models/a%20b/infer");
  const jsonBytes = Number(headers["inference-header-content-length"]);
  expect(JSON.parse(body.toString("utf8", 0, jsonBytes)).inputs[0]).toEqual({
    name: "x",
    datatype: "FP32",
    shape: [1, 3],
    parameters: { binary_data_size: 12 },
  });
  expect([...body.subarray(jsonBytes)]).toEqual([...bytes]);
  expect(headers["content-length"]).toBe(String(body.length));
});

test("outputs are read out of either kind of answer", () => {
  const message = toBinary(
    ModelInferResponseSchema,
    create(ModelInferResponseSchema, {
      outputs: [{ name: "y", datatype: "FP32", shape: [1n, 3n] }],
      rawOutputContents: [bytes],
    }),
  );
  const json = Buffer.from(
    JSON.stringify({ outputs: [{ name: "y", parameters: { binary_data_size: 12 } }] }),
  );
  for (const [protocol, answer] of [
    ["grpc", { body: Buffer.concat([Buffer.alloc(5), message]), jsonBytes: 0 }],
    ["http", { body: Buffer.concat([json, bytes]), jsonBytes: json.length }],
  ] as const) {
    const [output] = outputsOf(protocol, answer);
    expect(output.name).toBe("y");
    expect([...output.bytes]).toEqual([...bytes]);
  }
});
