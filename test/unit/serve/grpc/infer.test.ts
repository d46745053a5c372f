import { afterAll, beforeAll, expect, test } from "vitest";
import type { GrpcServer } from "../../../../src/serve/grpc/server.ts";
import { FakeCore } from "../../../support/serve/fake-core.ts";
import { inferRequest, startGrpcServer, TestClient } from "../../../support/serve/wires.ts";

const core = new FakeCore([{ name: "echo", datatype: "FP32", dims: [16], maxBatch: 8 }]);
let server: GrpcServer;
let client: TestClient;

beforeAll(async () => {
  server = await startGrpcServer(core);
  client = new TestClient(server.address);
});
afterAll(async () => {
  client.close();
  await server.close(1000);
});

test("raw contents come back", async () => {
  const raw = Buffer.from(Float32Array.from({ length: 32 }, (_, i) => i * 0.5).buffer);
  const reply = await client.call("ModelInfer", inferRequest("echo", "FP32", [2, 16], raw));
  expect(reply.id).toBe("7");
  expect(reply.model_version).toBe("1");
  expect(reply.outputs).toMatchObject([{ name: "OUTPUT0", datatype: "FP32", shape: ["2", "16"] }]);
  expect(reply.raw_output_contents).toEqual([raw]);
  expect(core.held).toBe(0);
});
