import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readBundle } from "../../src/artifact/index.ts";
import { compile } from "../../src/compile.ts";
import { loadConfig } from "../../src/config/index.ts";
import { openDevice, predict } from "../../src/runtime/index.ts";
import {
  type CoreOptions,
  createInferenceCore,
  type InferenceCore,
  type InferenceRequest,
  type InferenceResponse,
} from "../../src/serve/index.ts";
import { tinyNetwork } from "./onnx-models.ts";
import { temporaryFolder } from "./temporary.ts";

/** A model repository with one bundle of the network 2-3-2, `tiny`. */
export function tinyRepository(): string {
  const folder = temporaryFolder();
  addTinyBundle(join(folder, "tiny.n2f"));
  return folder;
}

export function addTinyBundle(place: string): void {
  mkdirSync(join(place, ".."), { recursive: true });
  const model = `${place}.onnx`;
  writeFileSync(model, tinyNetwork());
  compile(model, place, {
    config: loadConfig(undefined, { precision: "fixed<12,5>" }),
    calibration: [],
    name: "tiny",
  });
  rmSync(model);
}

/** A core whose models are loaded. Close it with the test. */
export async function startCore(options: CoreOptions): Promise<InferenceCore> {
  const { core, loaded } = createInferenceCore({ threads: 0, ...options });
  const failures = await loaded;
  if (failures.length === 0) return core;
  await core.close();
  throw new Error(failures.join("\n"));
}

/** A request to a model with one FP32 input, its bytes filled in. */
export function requestOf(
  core: InferenceCore,
  model: string,
  rows: readonly (readonly number[])[],
  more: Partial<Parameters<InferenceCore["begin"]>[0]> = {},
): InferenceRequest {
  const { inputs } = core.modelMetadata(model, "");
  const request = core.begin({
    model,
    version: "",
    id: "",
    inputs: [{ name: inputs[0].name, datatype: "FP32", shape: [rows.length, rows[0].length] }],
    outputs: [],
    ...more,
  });
  const bytes = request.inputs[0].open(4 * rows.length * rows[0].length);
  bytes.set(new Uint8Array(Float32Array.from(rows.flat()).buffer));
  return request;
}

/** The rows of a response's FP32 output, copied out; the response is released. */
export function rowsOf(response: InferenceResponse, output = 0): number[][] {
  const { shape, bytes } = response.outputs[output];
  const numbers = new Float32Array(bytes.slice().buffer);
  const size = numbers.length / shape[0];
  response.release();
  return Array.from({ length: shape[0] }, (_, row) => [
    ...numbers.subarray(row * size, (row + 1) * size),
  ]);
}

/** What `predict` says of the same rows, as float32. */
export async function predictRows(
  folder: string,
  rows: readonly (readonly number[])[],
): Promise<number[][]> {
  const { manifest } = readBundle(folder);
  const device = openDevice("emulator", { threads: 0 });
  const kernel = await device.load(readBundle(folder));
  const data = new Map([[manifest.inputs[0].name, Float64Array.from(rows.flat(), Math.fround)]]);
  const [{ tensor }] = await predict(kernel, manifest, { count: rows.length, data });
  await device.close();
  const size = tensor.data.length / rows.length;
  return rows.map((_, i) =>
    Array.from(tensor.data.subarray(i * size, (i + 1) * size), Math.fround),
  );
}
