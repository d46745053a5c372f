import {
  type Bundle,
  bundlePaths,
  type Manifest,
  type PortTensor,
  packetBytes,
} from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import type { Kernel } from "../../runtime/index.ts";
import type { Datatype } from "../core/datatype.ts";
import type { ModelConfig } from "../core/model-config.ts";
import type { ModelSignature } from "../core/signature.ts";
import type { ModelFacts, TensorFact } from "../repository/model-config.ts";
import type { Executor } from "../scheduler/executor.ts";
import { BundleExecutor } from "./bundle-executor.ts";
import { placeInstances, type ServedDevice } from "./served-device.ts";

const integers: readonly Datatype[] = [
  "INT64",
  "INT32",
  "INT16",
  "INT8",
  "UINT64",
  "UINT32",
  "UINT16",
  "UINT8",
  "BOOL",
];

/** Raw bytes of one request, at most, where the config does not say how many rows it may have. */
const usualRequestBytes = 256 * 2 ** 20;
const usualRequestRows = 2 ** 18;

/** Raw bytes and rows of one run, where the config does not say: enough to fill a device, quick to share. */
const usualRunBytes = 8 * 2 ** 20;
const usualRunRows = 2 ** 14;

export function bundleFacts({ inputs, outputs }: Manifest): ModelFacts {
  return {
    platform: "nn2fpga",
    backend: "nn2fpga",
    inputs: inputs.map(tensorFact),
    outputs: outputs.map(tensorFact),
    maxBatchSize: rowsWithin([...inputs, ...outputs], usualRequestBytes, usualRequestRows),
    instanceKind: "KIND_MODEL",
  };
}

function tensorFact({ name, shape, meaning, container }: PortTensor): TensorFact {
  const row = shape[0] === 1 ? shape.slice(1) : shape;
  return {
    name,
    datatypes: meaning === "real" ? ["FP32", "FP64", "FP16", "BF16", container] : integers,
    dims: row.length === 0 ? [1] : row,
    fullDims: shape.length === 0 ? [1] : shape,
  };
}

function rowsWithin(ports: readonly PortTensor[], bytes: number, rows: number): number {
  const elements = ports.reduce((sum, port) => sum + port.sizeBytes / port.elementBytes, 0);
  return Math.max(1, Math.min(rows, Math.floor(bytes / (4 * elements))));
}

/** Rows of one run: the parameter `max_run_rows`, never more than a batch. */
export function runRows({ max_batch_size, parameters }: ModelConfig, usual: number): number {
  const text = parameters?.["max_run_rows"]?.string_value;
  const rows = text === undefined ? usual : Number(text);
  if (!(Number.isInteger(rows) && rows >= 1)) {
    fail("N2F_CONFIG_INVALID", `the parameter max_run_rows is "${text}"`, {
      hint: "Give a whole number of at least 1.",
    });
  }
  return max_batch_size > 0 ? Math.min(rows, max_batch_size) : rows;
}

/**
 * Loads a bundle on every instance that the config asks for. Each kernel must first answer the bundle's
 * golden vectors.
 *
 * @throws N2F_BUNDLE_CORRUPT, N2F_COMPARE_MISMATCH, what the device throws; nothing stays loaded then
 */
export async function loadBundle(
  bundle: Bundle,
  config: ModelConfig,
  signature: ModelSignature,
  devices: readonly ServedDevice[],
): Promise<readonly Executor[]> {
  const { manifest } = bundle;
  const usual = rowsWithin([...manifest.inputs, ...manifest.outputs], usualRunBytes, usualRunRows);
  const maxRows = runRows(config, usual);
  const places = placeInstances(config.instance_group, devices);
  if (places.length === 0) {
    fail("N2F_CONFIG_INVALID", `no instance of ${config.name} has a device`, {
      hint: `instance_group numbers the server's devices in \`gpus\`; they are 0 to ${devices.length - 1}.`,
    });
  }
  const executors: Executor[] = [];
  try {
    for (const { device, lane } of places) {
      const kernel = await device.load(bundle);
      executors.push(new BundleExecutor(kernel, manifest, signature, lane, maxRows));
      if (device.info().isComputing !== false) await checkGolden(kernel, bundle, lane.name);
    }
    return executors;
  } catch (error) {
    await Promise.allSettled(executors.map((executor) => executor.close()));
    throw error;
  }
}

/** Vectors that a device must answer before it serves. */
const goldenVectors = 64;

async function checkGolden(kernel: Kernel, bundle: Bundle, device: string): Promise<void> {
  const { inputs, outputs, name } = bundle.manifest;
  const [inputBytes, outputBytes] = [packetBytes(inputs), packetBytes(outputs)];
  const vectors = bundle.read(bundlePaths.goldenInputs);
  const expected = bundle.read(bundlePaths.goldenOutputs);
  const count = Math.min(goldenVectors, Math.floor(vectors.length / inputBytes));
  if (count === 0 || expected.length < count * outputBytes) {
    fail("N2F_BUNDLE_CORRUPT", "the bundle has no golden vectors", { at: bundle.folder });
  }
  const answers = await kernel.run(vectors.subarray(0, count * inputBytes), count);
  for (let i = 0; i < count; i++) {
    const range = [i * outputBytes, (i + 1) * outputBytes] as const;
    if (Buffer.compare(answers.subarray(...range), expected.subarray(...range)) === 0) continue;
    fail("N2F_COMPARE_MISMATCH", `golden vector ${i} has another answer on the device ${device}`, {
      at: name,
      hint: "Run `nn2fpga verify` on the bundle; the model does not serve.",
    });
  }
}
