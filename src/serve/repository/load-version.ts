import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bundle, bundlePaths, readBundle, unpackBundle } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import { bundleFacts, loadBundle } from "../backend/bundle-model.ts";
import {
  type BeginStep,
  EnsembleModel,
  ensembleFacts,
  ensembleSteps,
} from "../backend/ensemble-model.ts";
import { IdentityExecutor, identityFacts } from "../backend/identity-model.ts";
import { OnnxExecutor, openOnnxModel } from "../backend/onnx-model.ts";
import { PipelineModel } from "../backend/pipeline-model.ts";
import { placeInstances, type ServedDevice } from "../backend/served-device.ts";
import type { BufferPool } from "../core/buffer-pool.ts";
import { configDatatype } from "../core/datatype.ts";
import type { ModelConfig } from "../core/model-config.ts";
import type { ModelSignature } from "../core/signature.ts";
import type { Executor } from "../scheduler/executor.ts";
import type { DeviceLane } from "../scheduler/lane.ts";
import { ModelScheduler } from "../scheduler/model-scheduler.ts";
import { type QueueLimits, schedulingPolicy } from "../scheduler/policy.ts";
import { Recorder } from "../scheduler/recorder.ts";
import { type ModelSource, versionContent } from "./layout.ts";
import { completeConfig, defaultBatching, type ModelFacts, signatureOf } from "./model-config.ts";
import type { LoadVersion, ReadyVersion } from "./repository.ts";
import type { TextMessage } from "./text-format.ts";

/** What the server gives to all models. */
export interface LoadContext {
  readonly devices: readonly ServedDevice[];
  /** Where models on the processor run. */
  readonly processor: DeviceLane;
  readonly pool: BufferPool;
  readonly limits: QueueLimits;
  /** Counts go on where a version is loaded again. */
  readonly recorder: (model: string, version: string) => Recorder;
  readonly beginStep: BeginStep;
  /** The config of a model that is ready. @throws ServeError */
  readonly findModel: (model: string, version: string) => ModelConfig;
}

/** Chooses the backend of a version by its config and its files, and makes it ready. */
export function versionLoader(context: LoadContext): LoadVersion {
  return async (source, version, given) => {
    const started = performance.now();
    const at = source.isBundle ? source.folder : join(source.folder, "config.pbtxt");
    const name = source.name;
    const make = (facts: ModelFacts): Made => {
      const config = completeConfig(name, given, facts, at);
      const labels = (file: string) => readLabels(source.folder, file);
      const signature = signatureOf(config, String(version), labels);
      return { config, signature, recorder: context.recorder(name, String(version)) };
    };
    const ready = await loadBackend(source, version, given, at, make, context);
    ready.served.recorder.loadSeconds = (performance.now() - started) / 1000;
    return ready;
  };
}

interface Made {
  readonly config: ModelConfig;
  readonly signature: ModelSignature;
  readonly recorder: Recorder;
}

async function loadBackend(
  source: ModelSource,
  version: number,
  given: TextMessage | undefined,
  at: string,
  make: (facts: ModelFacts) => Made,
  context: LoadContext,
): Promise<ReadyVersion> {
  if (given?.["platform"] === "ensemble") {
    const { config, signature, recorder } = make(ensembleFacts(given, at));
    const steps = ensembleSteps(config, at, context.findModel);
    return { config, served: new EnsembleModel(signature, recorder, steps, context.beginStep) };
  }
  if (given?.["backend"] === "identity") {
    const made = make(identityFacts(given, at));
    const executors = onProcessor(made.config, context).map((lane) => new IdentityExecutor(lane));
    return schedule(made, executors, context);
  }
  const content = versionContent(
    source,
    version,
    given?.["default_model_filename"] as string | undefined,
  );
  if (given?.["backend"] === pipelineBackend) {
    const join = (bundle: Bundle) => servePipeline(bundle, given, version, at, make, context);
    if (content.kind === "bundle") return join(readBundle(content.path));
    if (content.kind === "archive") return withUnpacked(content.path, join);
  }
  checkBackend(given, content.kind, at);
  switch (content.kind) {
    case "bundle":
      return serveBundle(readBundle(content.path), make, context);
    case "archive":
      return withUnpacked(content.path, (bundle) => serveBundle(bundle, make, context));
    case "onnx":
      return serveOnnx(content.path, make, context);
    default:
      return fail("N2F_FILE_READ", "there is no model in the version's folder", {
        at: content.path,
        hint: "Put a bundle NAME.n2f, an archive NAME.n2f.zip or a file model.onnx there.",
      });
  }
}

/** The backend that a config may name for each kind of file. */
const backends = { bundle: "nn2fpga", archive: "nn2fpga", onnx: "onnxruntime" } as const;

function checkBackend(given: TextMessage | undefined, kind: string, at: string): void {
  const named = given?.["backend"];
  const fitting = kind in backends ? backends[kind as keyof typeof backends] : undefined;
  if (named === undefined || named === "" || fitting === undefined || named === fitting) return;
  fail("N2F_CONFIG_INVALID", `the backend "${named}" does not fit the version's files`, {
    at,
    hint: `Files of this kind are served by "${fitting}"; the field can be left out.`,
  });
}

async function serveBundle(
  bundle: Bundle,
  make: (facts: ModelFacts) => Made,
  context: LoadContext,
): Promise<ReadyVersion> {
  bundle.verifyAll();
  const made = make(bundleFacts(bundle.manifest));
  const executors = await loadBundle(bundle, made.config, made.signature, context.devices);
  return schedule(made, executors, context);
}

/** Serves both halves of a bundle that was compiled up to a value of its network. */
const pipelineBackend = "pipeline";

/**
 * The bundle on the devices, the rest of its network on the processor. What the config says of instances and batching
 * is said of the devices.
 */
async function servePipeline(
  bundle: Bundle,
  given: TextMessage,
  version: number,
  at: string,
  make: (facts: ModelFacts) => Made,
  context: LoadContext,
): Promise<ReadyVersion> {
  const { manifest, folder } = bundle;
  bundle.verifyAll();
  const path = join(folder, bundlePaths.rest);
  if (!existsSync(path)) {
    fail("N2F_FILE_READ", `the bundle has no ${bundlePaths.rest}, which a pipeline needs`, {
      at: folder,
      hint: "Compile it with `--until VALUE`, or leave the backend out.",
    });
  }
  const front = bundleFacts(manifest);
  const model = await openOnnxModel(path);
  // The file need not say of what shape its inputs are: the bundle knows.
  const inputs = model.facts.inputs.map((input) => {
    const output = front.outputs.find(({ name }) => name === input.name);
    if (output?.datatypes.includes(input.datatypes[0])) {
      return { ...output, datatypes: input.datatypes };
    }
    return fail(
      "N2F_CONFIG_INVALID",
      `the rest reads "${input.name}", which the bundle does not give`,
      {
        at: path,
      },
    );
  });
  const isSilent = [...model.facts.inputs, ...model.facts.outputs].every(
    ({ isShapeUnknown }) => isShapeUnknown,
  );
  const maxBatchSize = isSilent
    ? front.maxBatchSize
    : Math.min(front.maxBatchSize, model.facts.maxBatchSize);
  const rest = { ...model.facts, inputs, maxBatchSize };
  const whole = make({ ...front, outputs: rest.outputs, maxBatchSize, backend: pipelineBackend });

  const batch = { max_batch_size: whole.config.max_batch_size };
  const batching = batch.max_batch_size > 0 && { dynamic_batching: defaultBatching };
  const half = (part: string, facts: ModelFacts, more: TextMessage): Made => {
    const config = completeConfig(`${whole.config.name}.${part}`, { ...more, ...batch }, facts, at);
    const signature = signatureOf(config, String(version), () => []);
    return { config, signature, recorder: new Recorder(config.name, String(version)) };
  };
  const own = Object.entries(given).filter(([field]) => deviceFields.has(field));
  // Between the halves tensors are what the rest reads.
  const between = inputs.map(({ name, datatypes: [type] }) => ({
    name,
    data_type: configDatatype(type),
  }));
  const frontMade = half("front", front, {
    ...batching,
    ...Object.fromEntries(own),
    output: between,
  });
  const restMade = half("rest", rest, {
    ...batching,
    ...(given["output"] !== undefined && { output: given["output"] }),
  });

  const sessions: Executor[] = [];
  for (const lane of onProcessor(restMade.config, context)) {
    const session = await model.open(restMade.config);
    sessions.push(new OnnxExecutor(model.ort, session, restMade.signature, lane));
  }
  let kernels: readonly Executor[];
  try {
    kernels = await loadBundle(bundle, frontMade.config, frontMade.signature, context.devices);
  } catch (error) {
    await Promise.allSettled(sessions.map((session) => session.close()));
    throw error;
  }
  const halves = [
    schedule(frontMade, kernels, context).served,
    schedule(restMade, sessions, context).served,
  ] as const;
  const { config, signature, recorder } = whole;
  return { config, served: new PipelineModel(signature, recorder, ...halves, context.pool) };
}

/** Fields of a pipeline's config that are its front's. */
const deviceFields = new Set(["instance_group", "dynamic_batching", "parameters", "input"]);

async function serveOnnx(
  path: string,
  make: (facts: ModelFacts) => Made,
  context: LoadContext,
): Promise<ReadyVersion> {
  const model = await openOnnxModel(path);
  const made = make(model.facts);
  const executors: Executor[] = [];
  for (const lane of onProcessor(made.config, context)) {
    const session = await model.open(made.config);
    executors.push(new OnnxExecutor(model.ort, session, made.signature, lane));
  }
  return schedule(made, executors, context);
}

function onProcessor(config: ModelConfig, { processor }: LoadContext): DeviceLane[] {
  return placeInstances(config.instance_group, [processor]);
}

function schedule(
  { config, signature, recorder }: Made,
  executors: readonly Executor[],
  { limits }: LoadContext,
): ReadyVersion {
  const policy = schedulingPolicy(config);
  return {
    config,
    served: new ModelScheduler({ signature, recorder, policy, limits, executors }),
  };
}

/** Unpacks an archive for as long as it is loaded; devices keep what they need. */
async function withUnpacked<T>(path: string, use: (bundle: Bundle) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "nn2fpga-serve-"));
  try {
    return await use(unpackBundle(new Uint8Array(readFileSync(path)), join(folder, "model.n2f")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readLabels(folder: string, file: string): readonly string[] {
  const path = join(folder, file);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(file) || !existsSync(path)) {
    return fail("N2F_FILE_READ", `there is no file of labels "${file}"`, { at: folder });
  }
  return readFileSync(path, "utf8")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
