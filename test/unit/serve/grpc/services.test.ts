import { Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GrpcServer } from "../../../../src/serve/grpc/server.ts";
import { GRPCInferenceService } from "../../../../src/serve/proto/inference_pb.ts";
import { FakeCore } from "../../../support/serve/fake-core.ts";
import {
  failureOf,
  inferRequest,
  type Reply,
  startGrpcServer,
  TestClient,
} from "../../../support/serve/wires.ts";

const core = new FakeCore([
  { name: "echo", datatype: "FP32", dims: [16], maxBatch: 8, outputs: ["OUTPUT0", "OUTPUT1"] },
  { name: "slow", datatype: "FP32", dims: [16], maxBatch: 8, delayMs: 60 },
]);
const raw = Buffer.from(Float32Array.from({ length: 16 }, (_, at) => at).buffer);
let server: GrpcServer;
let client: TestClient;

beforeAll(async () => {
  server = await startGrpcServer(core);
  client = new TestClient(server.address);
});
afterAll(async () => {
  client.close();
  await server.close(1000);
  expect(core.held).toBe(0);
});

const infer = (model: string, more: object = {}) => inferRequest(model, "FP32", [1, 16], raw, more);

describe("ModelInfer", () => {
  test("all outputs, in the model's order, each with its raw contents", async () => {
    const reply = await client.call("ModelInfer", infer("echo"));
    expect(reply).toMatchObject({ model_name: "echo", model_version: "1", id: "7" });
    expect(reply.outputs.map(({ name }: Reply) => name)).toEqual(["OUTPUT0", "OUTPUT1"]);
    expect(reply.outputs[0]).toMatchObject({
      datatype: "FP32",
      shape: ["1", "16"],
      contents: null,
    });
    expect(reply.raw_output_contents).toEqual([raw, raw]);
  });

  test("a choice of outputs, in the request's order", async () => {
    const outputs = [{ name: "OUTPUT1" }, { name: "OUTPUT0" }];
    const reply = await client.call("ModelInfer", infer("echo", { outputs }));
    expect(reply.outputs.map(({ name }: Reply) => name)).toEqual(["OUTPUT1", "OUTPUT0"]);
  });

  test("classification and parameters reach the core", async () => {
    const outputs = [{ name: "OUTPUT0", parameters: { classification: { int64_param: 3 } } }];
    const parameters = {
      sequence_id: { int64_param: 5 },
      triton_enable_empty_final_response: { bool_param: false },
    };
    await client.call("ModelInfer", infer("echo", { outputs, parameters }));
    expect(core.lastHeader?.outputs).toEqual([{ name: "OUTPUT0", classification: 3 }]);
    expect(core.lastHeader?.parameters?.get("sequence_id")).toBe(5);
    const wrong = [{ name: "OUTPUT0", parameters: { classification: { int64_param: -1 } } }];
    expect(
      (await failureOf(client.call("ModelInfer", infer("echo", { outputs: wrong })))).code,
    ).toBe(3);
  });

  test("tensors in shared memory: no raw input, an empty raw output in its place", async () => {
    core.sharedMemory.register({ name: "r", key: "/r", offset: 0, byteSize: 128 });
    core.region("r").set(raw);
    const at = (offset: number) => ({
      shared_memory_region: { string_param: "r" },
      shared_memory_byte_size: { int64_param: 64 },
      shared_memory_offset: { int64_param: offset },
    });
    const request = {
      ...infer("echo"),
      inputs: [{ name: "INPUT0", datatype: "FP32", shape: [1, 16], parameters: at(0) }],
      outputs: [{ name: "OUTPUT0", parameters: at(64) }, { name: "OUTPUT1" }],
      raw_input_contents: [],
    };
    const reply = await client.call("ModelInfer", request);
    expect(reply.raw_output_contents).toEqual([Buffer.alloc(0), raw]);
    expect(Buffer.from(core.region("r").subarray(64))).toEqual(raw);
    const sizeless = { shared_memory_region: { string_param: "r" } };
    const wrong = { ...request, inputs: [{ ...request.inputs[0], parameters: sizeless }] };
    expect((await failureOf(client.call("ModelInfer", wrong))).details).toContain(
      "shared_memory_byte_size",
    );
    core.sharedMemory.unregister("r");
    expect((await failureOf(client.call("ModelInfer", request))).details).toBe(
      "Unable to find shared memory region: 'r'",
    );
  });

  test("large outputs are sent from the core's buffer and released after that", async () => {
    const large = new FakeCore([{ name: "large", datatype: "FP32", dims: [65536], maxBatch: 4 }]);
    const other = await startGrpcServer(large);
    const caller = new TestClient(other.address);
    const tensor = Buffer.from(Float32Array.from({ length: 2 * 65536 }, (_, at) => at).buffer);
    const replies = await Promise.all(
      Array.from({ length: 8 }, () =>
        caller.call("ModelInfer", inferRequest("large", "FP32", [2, 65536], tensor)),
      ),
    );
    for (const {
      raw_output_contents: [got],
    } of replies)
      expect(got.equals(tensor)).toBe(true);
    caller.close();
    await other.close(1000);
    expect(large.held).toBe(0);
  });
});

describe("ModelStreamInfer", () => {
  const run = (requests: readonly object[], headers: Record<string, string> = {}) =>
    new Promise<{ replies: Reply[]; code: number; details: string }>((resolve) => {
      const metadata = new Metadata();
      for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
      const stream = client.raw.ModelStreamInfer(metadata);
      const replies: Reply[] = [];
      stream.on("data", (reply: Reply) => replies.push(reply));
      stream.on("error", () => {});
      stream.on("status", ({ code, details }: Reply) => resolve({ replies, code, details }));
      for (const request of requests) stream.write(request);
      stream.end();
    });

  test("answers in order, the slow first, then OK", async () => {
    const { replies, code } = await run(
      ["slow", "echo", "slow", "echo"].map((model, at) => infer(model, { id: String(at) })),
    );
    expect(code).toBe(0);
    expect(replies.map(({ infer_response: { id } }) => id)).toEqual(["0", "1", "2", "3"]);
    expect(replies[0].infer_response.parameters.triton_final_response.bool_param).toBe(true);
    expect(replies[0].infer_response.raw_output_contents[0]).toEqual(raw);
    expect(replies[0].error_message).toBe("");
  });

  test("an error is a message with the request's id, and the stream goes on", async () => {
    const { replies, code } = await run([
      infer("echo", { id: "a" }),
      infer("nothing", { id: "b" }),
      infer("echo", { id: "c", raw_input_contents: [raw.subarray(1)] }),
      infer("echo", { id: "d" }),
    ]);
    expect(code).toBe(0);
    expect(replies.map((r) => r.infer_response.id)).toEqual(["a", "b", "c", "d"]);
    expect(replies[1]).toMatchObject({
      error_message: "Request for unknown model: 'nothing' is not found",
      infer_response: { model_name: "nothing" },
    });
    expect(replies[2].error_message).toContain("input byte size mismatch");
    expect(replies[3].error_message).toBe("");
  });

  test("with triton_grpc_error the status ends the stream", async () => {
    const { replies, code, details } = await run([infer("echo"), infer("nothing"), infer("echo")], {
      triton_grpc_error: "true",
    });
    expect(replies).toHaveLength(1);
    expect(code).toBe(5);
    expect(details).toContain("unknown model");
  });

  test("hundreds of requests on one stream", async () => {
    const requests = Array.from({ length: 700 }, (_, at) => infer("echo", { id: String(at) }));
    const { replies, code } = await run(requests);
    expect(code).toBe(0);
    expect(replies.map(({ infer_response: { id } }) => Number(id))).toEqual(
      requests.map((_, at) => at),
    );
  });
});

describe("the other methods", () => {
  test("all 20 are there", async () => {
    expect(GRPCInferenceService.methods).toHaveLength(20);
    for (const { name, methodKind } of GRPCInferenceService.methods) {
      if (methodKind !== "unary") continue;
      const outcome = await client.call(name).then(
        () => 0,
        ({ code }: { code: number }) => code,
      );
      expect([name, outcome === 12]).toEqual([name, false]);
    }
  });

  test("liveness, readiness, metadata", async () => {
    expect(await client.call("ServerLive")).toEqual({ live: true });
    expect(await client.call("ServerReady")).toEqual({ ready: true });
    expect(await client.call("ModelReady", { name: "echo" })).toEqual({ ready: true });
    expect(await client.call("ModelReady", { name: "nothing" })).toEqual({ ready: false });
    expect(await client.call("ServerMetadata")).toEqual(core.metadata());
    expect(await client.call("ModelMetadata", { name: "echo" })).toMatchObject({
      name: "echo",
      versions: ["1"],
      inputs: [{ name: "INPUT0", datatype: "FP32", shape: ["-1", "16"] }],
    });
    for (const method of ["ModelMetadata", "ModelConfig", "ModelStatistics"]) {
      expect(await failureOf(client.call(method, { name: "nothing" }))).toEqual({
        code: 5,
        details: "Request for unknown model: 'nothing' is not found",
      });
    }
  });

  test("the configuration travels whole", async () => {
    const { config } = await client.call("ModelConfig", { name: "echo" });
    expect(config).toMatchObject({
      name: "echo",
      backend: "nn2fpga",
      max_batch_size: 8,
      input: [{ name: "INPUT0", data_type: "TYPE_FP32", dims: ["16"] }],
      version_policy: { latest: { num_versions: 1 } },
      dynamic_batching: { max_queue_delay_microseconds: "100" },
      model_repository_agents: { agents: [{ name: "checksum", parameters: { "1/x": "MD5:0" } }] },
    });
  });

  test("statistics have all eight durations", async () => {
    const {
      model_stats: [entry],
    } = await client.call("ModelStatistics", { name: "echo" });
    expect(entry).toMatchObject({ name: "echo", version: "1" });
    expect(Object.keys(entry.inference_stats).sort()).toEqual([
      "cache_hit",
      "cache_miss",
      "compute_infer",
      "compute_input",
      "compute_output",
      "fail",
      "queue",
      "success",
    ]);
    expect((await client.call("ModelStatistics")).model_stats).toHaveLength(2);
  });

  test("the repository", async () => {
    const all = (await client.call("RepositoryIndex")).models;
    expect(all.at(-1)).toEqual({
      name: "broken",
      version: "",
      state: "UNAVAILABLE",
      reason: "no bundle",
    });
    expect((await client.call("RepositoryIndex", { ready: true })).models).toHaveLength(2);
    expect((await failureOf(client.call("RepositoryIndex", { repository_name: "x" }))).code).toBe(
      12,
    );
    const parameters = {
      config: { string_param: "{}" },
      "file:1/model.n2f": { bytes_param: Buffer.from("abc") },
    };
    await client.call("RepositoryModelLoad", { model_name: "echo", parameters });
    expect(core.lastLoad?.options?.config).toBe("{}");
    expect(Buffer.from(core.lastLoad?.options?.files?.get("1/model.n2f") ?? [])).toEqual(
      Buffer.from("abc"),
    );
    expect(await failureOf(client.call("RepositoryModelLoad", { model_name: "nothing" }))).toEqual({
      code: 13,
      details: "failed to load 'nothing', no such folder",
    });
    const odd = { parameters: { odd: { bool_param: true } }, model_name: "echo" };
    expect((await failureOf(client.call("RepositoryModelLoad", odd))).code).toBe(3);
    await client.call("RepositoryModelUnload", { model_name: "echo" });
    core.isModelControlAllowed = false;
    expect(
      await failureOf(client.call("RepositoryModelUnload", { model_name: "echo" })),
    ).toMatchObject({ code: 14 });
    core.isModelControlAllowed = true;
  });

  test("shared memory: system regions, and CUDA ones that do no harm", async () => {
    const region = { name: "a", key: "/a", offset: 8, byte_size: 32 };
    await client.call("SystemSharedMemoryRegister", region);
    expect(await failureOf(client.call("SystemSharedMemoryRegister", region))).toEqual({
      code: 6,
      details: "shared memory region 'a' already in manager",
    });
    const { regions } = await client.call("SystemSharedMemoryStatus");
    expect(regions).toEqual({ a: { name: "a", key: "/a", offset: "8", byte_size: "32" } });
    await client.call("SystemSharedMemoryUnregister", { name: "a" });
    expect((await client.call("SystemSharedMemoryStatus")).regions).toEqual({});
    expect((await client.call("CudaSharedMemoryStatus")).regions).toEqual({});
    await client.call("CudaSharedMemoryUnregister");
    expect((await failureOf(client.call("CudaSharedMemoryRegister", { name: "c" }))).code).toBe(3);
  });

  test("trace and log settings echo", async () => {
    const settings = { trace_rate: { value: ["7"] }, trace_level: { value: [] } };
    const traced = await client.call("TraceSetting", { settings });
    expect(traced.settings).toEqual({ trace_rate: { value: ["7"] } });
    const logged = await client.call("LogSettings", {
      settings: { log_verbose_level: { uint32_param: 2 }, log_format: { string_param: "ISO8601" } },
    });
    expect(logged.settings.log_verbose_level.uint32_param).toBe(2);
    expect(logged.settings.log_format.string_param).toBe("ISO8601");
    expect(logged.settings.log_info.bool_param).toBe(true);
  });
});

describe("health and reflection", () => {
  test("Check", async () => {
    const health = new TestClient(server.address, "grpc.health.v1.Health");
    for (const service of ["", "inference.GRPCInferenceService", "liveness", "echo"]) {
      expect(await health.call("Check", { service })).toEqual({ status: "SERVING" });
    }
    expect(await health.call("Check", { service: "broken" })).toEqual({ status: "NOT_SERVING" });
    expect((await failureOf(health.call("Check", { service: "nothing" }))).code).toBe(5);
    core.isReady = false;
    expect(await health.call("Check")).toEqual({ status: "NOT_SERVING" });
    expect(await health.call("Check", { service: "liveness" })).toEqual({ status: "SERVING" });
    core.isReady = true;
    health.close();
  });

  test("Watch tells every change", async () => {
    const health = new TestClient(server.address, "grpc.health.v1.Health");
    const stream = health.raw.Watch({ service: "" });
    stream.on("error", () => {});
    const next = () => new Promise<Reply>((resolve) => stream.once("data", resolve));
    expect(await next()).toEqual({ status: "SERVING" });
    core.isReady = false;
    expect(await next()).toEqual({ status: "NOT_SERVING" });
    core.isReady = true;
    expect(await next()).toEqual({ status: "SERVING" });
    stream.cancel();
    health.close();
  });

  test("reflection lists services and gives their files", async () => {
    const reflection = new TestClient(server.address, "grpc.reflection.v1.ServerReflection");
    const ask = (request: object) =>
      new Promise<Reply>((resolve, reject) => {
        const stream = reflection.raw.ServerReflectionInfo();
        stream.on("data", resolve);
        stream.on("error", reject);
        stream.write(request);
        stream.end();
      });
    const { list_services_response } = await ask({ list_services: "*" });
    const names = list_services_response.service.map(({ name }: Reply) => name);
    expect(names).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "inference.GRPCInferenceService",
      "tensorflow.serving.ModelService",
      "tensorflow.serving.PredictionService",
    ]);
    for (const name of names) {
      const { file_descriptor_response } = await ask({ file_containing_symbol: name });
      expect(file_descriptor_response.file_descriptor_proto.length).toBeGreaterThan(0);
    }
    const method = await ask({
      file_containing_symbol: "inference.GRPCInferenceService.ModelInfer",
    });
    expect(method.file_descriptor_response.file_descriptor_proto).toHaveLength(2);
    const file = await ask({ file_by_filename: "model_config.proto" });
    expect(file.file_descriptor_response.file_descriptor_proto).toHaveLength(1);
    expect((await ask({ file_containing_symbol: "no.Such" })).error_response.error_code).toBe(5);
    reflection.close();
  });
});

describe("TensorFlow Serving", () => {
  test("Predict with a name, and with lists of values", async () => {
    const tfs = new TestClient(server.address, "tensorflow.serving.PredictionService");
    const tensor = { dtype: "DT_FLOAT", tensor_shape: { dim: [{ size: 1 }, { size: 16 }] } };
    const predict = (content: object) =>
      tfs.call("Predict", {
        model_spec: { name: "echo" },
        inputs: { any: { ...tensor, ...content } },
        output_filter: ["OUTPUT1"],
      });
    const whole = await predict({ tensor_content: raw });
    expect(whole.outputs.OUTPUT1.tensor_content).toEqual(raw);
    expect(whole.model_spec).toMatchObject({ name: "echo", version: { value: "1" } });
    const listed = await predict({ float_val: Array.from({ length: 16 }, (_, at) => at) });
    expect(listed.outputs.OUTPUT1.tensor_content).toEqual(raw);
    const repeated = await predict({ float_val: [2] });
    expect(
      new Set(new Float32Array(new Uint8Array(repeated.outputs.OUTPUT1.tensor_content).buffer)),
    ).toEqual(new Set([2]));
    const wrong = await failureOf(tfs.call("Predict", { inputs: { any: tensor } }));
    expect(wrong.code).toBe(3);
    expect(wrong.details).toContain("'echo', 'slow'");
    tfs.close();
  });

  test("GetModelStatus", async () => {
    const tfs = new TestClient(server.address, "tensorflow.serving.ModelService");
    const status = await tfs.call("GetModelStatus", { model_spec: { name: "echo" } });
    expect(status.model_version_status).toMatchObject([{ version: "1", state: "AVAILABLE" }]);
    expect((await failureOf(tfs.call("GetModelStatus", { model_spec: { name: "x" } }))).code).toBe(
      5,
    );
    tfs.close();
  });
});
