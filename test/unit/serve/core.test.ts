import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InferenceCore, RequestHeader } from "../../../src/serve/index.ts";
import { addTinyBundle, predictRows, requestOf, rowsOf, startCore } from "../../support/serve.ts";

let folder: string;
let core: InferenceCore;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nn2fpga-"));
  addTinyBundle(join(folder, "tiny.n2f"));
  core = await startCore({ repository: folder });
});

afterAll(async () => {
  await core.close();
  rmSync(folder, { recursive: true, force: true });
});

const header = (more: Partial<RequestHeader> = {}): RequestHeader => ({
  model: "tiny",
  version: "",
  id: "7",
  inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
  outputs: [],
  ...more,
});

describe("a served bundle", () => {
  it("is described as clients expect", () => {
    expect(core.metadata().name).toBe("triton");
    expect(core.metadata().extensions).toContain("statistics");
    expect(core.isModelReady("tiny", "")).toBe(true);
    expect(core.isModelReady("tiny", "2")).toBe(false);
    expect(core.isModelReady("other", "")).toBe(false);
    expect(core.modelMetadata("tiny", "")).toEqual({
      name: "tiny",
      versions: ["1"],
      platform: "nn2fpga",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
    });
    expect(core.modelConfig("tiny", "1").max_batch_size).toBeGreaterThan(16_000);
    expect(core.repositoryIndex({ ready: true })).toEqual([
      { name: "tiny", version: "1", state: "READY", reason: "" },
    ]);
    expect(core.defaultModel()).toBe("tiny");
  });

  it("has statistics before the first request", () => {
    const [statistics] = core.modelStatistics("tiny", "");
    expect(statistics).toMatchObject({ name: "tiny", version: "1", inference_count: 0 });
  });

  it("answers what predict answers, bit for bit", async () => {
    const rows = Array.from({ length: 300 }, (_, i) => [i / 7 - 20, 11.3 - i / 13]);
    const expected = await predictRows(join(folder, "tiny.n2f"), rows);
    const response = await requestOf(core, "tiny", rows, { id: "42" }).run();
    expect([response.model, response.version, response.id]).toEqual(["tiny", "1", "42"]);
    expect(response.outputs[0]).toMatchObject({ name: "y", datatype: "FP32", shape: [300, 2] });
    expect(rowsOf(response)).toEqual(expected);
    const [{ inference_count, inference_stats }] = core.modelStatistics("tiny", "");
    expect(inference_count).toBe(300);
    expect(inference_stats.success.count).toBe(1);
    expect(inference_stats.compute_output.count).toBe(1);
    expect(core.pressure.bytesInFlight).toBe(0);
  });

  it("classifies on request", async () => {
    const request = requestOf(core, "tiny", [[1, -1]], {
      outputs: [{ name: "y", classification: 1 }],
    });
    const response = await request.run();
    const [{ datatype, shape, bytes }] = response.outputs;
    expect([datatype, shape]).toEqual(["BYTES", [1, 1]]);
    expect(Buffer.from(bytes.subarray(4)).toString()).toMatch(/^-?[0-9.]+:[01]$/);
    response.release();
  });
});

describe("a request that does not fit", () => {
  const refusal = (more: Partial<RequestHeader>): { status: string; message: string } => {
    try {
      core.begin(header(more)).cancel();
    } catch (error) {
      const { status, message } = error as { status: string; message: string };
      return { status, message };
    }
    return { status: "none", message: "" };
  };
  const input = { name: "x", datatype: "FP32", shape: [1, 2] };

  it.each([
    [{ model: "other" }, "NOT_FOUND", "Request for unknown model: 'other' is not found"],
    [{ version: "3" }, "NOT_FOUND", "Request for unknown model: 'tiny' version 3 is not found"],
    [
      { version: "x" },
      "INVALID_ARG",
      "failed to get model version from specified version string 'x'",
    ],
    [
      { inputs: [] },
      "INVALID_ARG",
      "expected 1 inputs but got 0 inputs for model 'tiny'. Got input(s) [], but missing required input(s) ['x'].",
    ],
    [{ inputs: [{ ...input, name: "z" }] }, "INVALID_ARG", "missing required input(s) ['x']"],
    [
      { inputs: [input, { ...input, name: "z" }] },
      "INVALID_ARG",
      "unexpected inference input 'z' for model 'tiny'",
    ],
    [{ inputs: [input, input] }, "INVALID_ARG", "input 'x' already exists in request"],
    [
      { inputs: [{ ...input, datatype: "INT8" }] },
      "INVALID_ARG",
      "inference input 'x' data-type is 'INT8', but model 'tiny' expects 'FP32'",
    ],
    [
      { inputs: [{ ...input, shape: [1, 3] }] },
      "INVALID_ARG",
      "unexpected shape for input 'x' for model 'tiny'. Expected [-1,2], got [1,3]. ",
    ],
    [
      { inputs: [{ ...input, shape: [2] }] },
      "INVALID_ARG",
      "unexpected shape for input 'x' for model 'tiny'. Expected [-1,2], got [2]. ",
    ],
    [{ inputs: [{ ...input, shape: [0, 2] }] }, "INVALID_ARG", "unexpected shape for input 'x'"],
    [{ inputs: [{ ...input, shape: [-1, 2] }] }, "INVALID_ARG", "unexpected shape for input 'x'"],
    [
      { inputs: [{ ...input, shape: [1e7, 2] }] },
      "INVALID_ARG",
      "inference request batch-size must be <= ",
    ],
    [
      { outputs: [{ name: "q" }] },
      "INVALID_ARG",
      "unexpected inference output 'q' for model 'tiny'",
    ],
    [{ parameters: new Map([["triton_x", 1]]) }, "INVALID_ARG", "'triton_x'"],
    [{ parameters: new Map([["priority", -1]]) }, "INVALID_ARG", "'priority'"],
    [{ parameters: new Map([["timeout", "soon"]]) }, "INVALID_ARG", "'timeout'"],
  ] as const)("%o is refused", (more, status, message) => {
    const refused = refusal(more as Partial<RequestHeader>);
    expect(refused.status).toBe(status);
    expect(refused.message).toContain(message);
  });

  it("takes the parameters that clients send", () => {
    const parameters = new Map<string, boolean | number | bigint | string>([
      ["priority", 2n],
      ["timeout", 1000],
      ["sequence_id", 5],
      ["triton_enable_empty_final_response", true],
      ["anything", "else"],
    ]);
    expect(refusal({ parameters })).toEqual({ status: "none", message: "" });
  });

  it("is refused by its size in bytes", () => {
    const request = core.begin(header());
    expect(() => request.inputs[0].open(9)).toThrow(
      "input byte size mismatch for input 'x' for model 'tiny'. Expected 8, got 9",
    );
    request.cancel();
  });

  it("is refused without data", async () => {
    await expect(core.begin(header()).run()).rejects.toThrow(
      "unable to find data for input tensor 'x' for model 'tiny' in request.",
    );
  });

  it("leaves no buffer and no count behind", () => {
    const request = core.begin(header());
    request.inputs[0].open(8);
    expect(core.pressure.bytesInFlight).toBeGreaterThan(0);
    request.cancel();
    request.cancel();
    expect(core.pressure.bytesInFlight).toBe(0);
    expect(core.modelStatistics("tiny", "")[0].inference_stats.fail.count).toBe(0);
  });

  it("is told, once, that it was cancelled", async () => {
    const request = requestOf(core, "tiny", [[1, 2]]);
    const answer = request.run();
    request.cancel();
    await expect(answer).rejects.toMatchObject({ status: "CANCELLED" });
    expect(core.pressure.bytesInFlight).toBe(0);
    expect(core.metrics()[0].failures.CANCELED).toBe(1);
  });
});
