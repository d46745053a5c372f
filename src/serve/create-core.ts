import { availableParallelism } from "node:os";
import { fail } from "../base/index.ts";
import { createNullDevice, type Device, type DeviceOptions, openDevice } from "../runtime/index.ts";
import { packageVersion } from "../tools/index.ts";
import type { ServedDevice } from "./backend/served-device.ts";
import type { ActiveRequest } from "./core/active-request.ts";
import { BufferPool } from "./core/buffer-pool.ts";
import { metadataShape } from "./core/check-request.ts";
import type { InferenceRequest, RequestHeader } from "./core/inference.ts";
import type { InferenceCore, LoadOptions, ModelMetadata } from "./core/inference-core.ts";
import { PosixSharedMemory } from "./core/posix-shared-memory.ts";
import { ServeError } from "./core/serve-error.ts";
import { Settings } from "./core/settings.ts";
import type { ModelSignature, TensorSpec } from "./core/signature.ts";
import { SpanExporter } from "./core/span-exporter.ts";
import type { ServeLogger } from "./front-ends.ts";
import { scanRepository } from "./repository/layout.ts";
import { versionLoader } from "./repository/load-version.ts";
import { ModelRepository, type ReadyVersion } from "./repository/repository.ts";
import { watchRepository } from "./repository/watch.ts";
import { DeviceLane } from "./scheduler/lane.ts";
import { Recorder } from "./scheduler/recorder.ts";

export interface CoreOptions {
  readonly repository: string;
  /** `emulator`, `rtl`, `null`, `null:1.5ms`, `null:0.1ms/row`; several take turns. */
  readonly devices?: readonly string[];
  /** Worker threads of the emulator. */
  readonly threads?: number;
  /** Only these models are loaded at the start. */
  readonly models?: readonly string[];
  readonly defaultModel?: string;
  readonly serverName?: string;
  /** `none` by default: clients may not load. `poll` looks for changes of the folder by itself. */
  readonly modelControl?: "none" | "explicit" | "poll";
  readonly pollSeconds?: number;
  readonly allowSharedMemory?: boolean;
  /** Bytes of requests and answers before sockets are no longer read. */
  readonly maxBytesInFlight?: number;
  /** Requests, and bytes of them, that may wait for one model. */
  readonly maxQueueRequests?: number;
  readonly maxQueueBytes?: number;
  /** Base address of a collector of OpenTelemetry, for requests whose clients trace them. */
  readonly otlpEndpoint?: string;
  readonly logger?: ServeLogger;
}

/** Runs that may be on a device at a time, over all models. A card's compute units know their own limit. */
const runsOnDevice = { emulator: 2, rtl: 2 } as const;

/** What is true of this server; clients ask before they use one of them. */
const extensions = [
  "binary_tensor_data",
  "classification",
  "model_configuration",
  "model_repository",
  "model_repository(unload_dependents)",
  "parameters",
  "schedule_policy",
  "statistics",
  "system_shared_memory",
  "trace",
  "logging",
] as const;

const silent: ServeLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A core before its models are loaded: front ends may already answer that it is not ready. */
export interface LoadingCore {
  readonly core: InferenceCore;
  /** Resolves when every model serves or has failed; gives why those failed that did. */
  readonly loaded: Promise<readonly string[]>;
}

/**
 * Opens the devices and begins to load the repository.
 *
 * @throws N2F_OPTION_INVALID, N2F_TOOL_MISSING, N2F_FILE_READ
 */
export function createInferenceCore(options: CoreOptions): LoadingCore {
  // A folder that is looked at again and again may come later.
  if (options.modelControl !== "poll") scanRepository(options.repository);
  const names = options.devices ?? ["emulator"];
  const devices: ServedDevice[] = [];
  for (const [place, name] of names.entries()) {
    const device = openServedDevice(name, options.threads);
    const runs = runsOnDevice[name as keyof typeof runsOnDevice] ?? Number.POSITIVE_INFINITY;
    devices.push({ device, lane: new DeviceLane(`${name}#${place}`, runs) });
  }
  const core = new Core(options, devices);
  return { core, loaded: core.start() };
}

function openServedDevice(name: string, threads: number | undefined): Device {
  const time = /^null(?::([0-9.]+)ms(\/row)?)?$/.exec(name);
  if (time === null) {
    const options: DeviceOptions = threads === undefined ? {} : { threads };
    return openDevice(name, options);
  }
  const ms = time[1] === undefined ? 0 : Number(time[1]);
  if (Number.isNaN(ms)) fail("N2F_OPTION_INVALID", `"${time[1]}" is no time`, { at: "--device" });
  return createNullDevice(time[2] === undefined ? { runMs: ms } : { rowMs: ms });
}

class Core implements InferenceCore {
  readonly #options: CoreOptions;
  readonly #devices: readonly ServedDevice[];
  readonly #repository: ModelRepository;
  readonly #recorders = new Map<string, Recorder>();
  readonly #settings = new Settings();
  readonly #pool: BufferPool;
  readonly #logger: ServeLogger;
  readonly #spans: SpanExporter | undefined;
  readonly sharedMemory: PosixSharedMemory;
  #state: "starting" | "ready" | "draining" | "closed" = "starting";
  #stopWatching = (): void => {};

  constructor(options: CoreOptions, devices: readonly ServedDevice[]) {
    this.#options = options;
    this.#devices = devices;
    this.#logger = options.logger ?? silent;
    this.#pool = new BufferPool(
      options.maxBytesInFlight === undefined ? {} : { limitBytes: options.maxBytesInFlight },
    );
    if (options.otlpEndpoint !== undefined) {
      this.#spans = new SpanExporter({
        endpoint: options.otlpEndpoint,
        serviceName: options.serverName ?? "nn2fpga",
        version: packageVersion(),
        warn: (fields, message) => this.#logger.warn(fields, message),
      });
    }
    this.sharedMemory = new PosixSharedMemory(options.allowSharedMemory ?? false);
    const load = versionLoader({
      devices,
      processor: new DeviceLane("cpu", availableParallelism() + 1),
      pool: this.#pool,
      limits: {
        requests: options.maxQueueRequests ?? 10_000,
        bytes: options.maxQueueBytes ?? 256 * 2 ** 20,
      },
      recorder: (model, version) => this.#recorder(model, version),
      beginStep: (header) => this.#begin(header),
      findModel: (model, version) => this.#repository.find(model, version).config,
    });
    this.#repository = new ModelRepository(options.repository, async (source, version, given) => {
      const { name } = source;
      this.#logger.info({ model: name, version }, "loading");
      try {
        const ready = await load(source, version, given);
        const { loadSeconds } = ready.served.recorder;
        this.#logger.info({ model: name, version, seconds: loadSeconds }, "ready");
        return ready;
      } catch (error) {
        this.#logger.error(
          { model: name, version, reason: (error as Error).message },
          "not loaded",
        );
        throw error;
      }
    });
  }

  async start(): Promise<readonly string[]> {
    const failures = await this.#repository.loadAll(this.#options.models);
    if (this.#state === "starting") this.#state = "ready";
    if (this.#options.modelControl === "poll") {
      this.#stopWatching = watchRepository(
        this.#options.repository,
        (this.#options.pollSeconds ?? 15) * 1000,
        async (name, isThere) => {
          try {
            if (isThere) await this.#repository.load(name);
            else await this.#repository.unload(name);
          } catch (error) {
            this.#logger.warn({ model: name, reason: (error as Error).message }, "not reloaded");
          }
        },
      );
    }
    return failures;
  }

  get isLive(): boolean {
    return this.#state !== "closed";
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  get pressure(): BufferPool {
    return this.#pool;
  }

  get isModelControlAllowed(): boolean {
    return this.#options.modelControl === "explicit";
  }

  metadata() {
    return {
      name: this.#options.serverName ?? "triton",
      version: packageVersion(),
      extensions: extensions.filter(
        (name) => name !== "system_shared_memory" || this.sharedMemory.isEnabled,
      ),
    };
  }

  isModelReady(model: string, version: string): boolean {
    if (this.#state === "closed") return false;
    try {
      const { config } = this.#repository.find(model, version);
      // An ensemble is as ready as the models that it stands on.
      const steps = config.ensemble_scheduling?.step ?? [];
      return steps.every(({ model_name, model_version = -1 }) =>
        this.isModelReady(model_name, model_version > 0 ? String(model_version) : ""),
      );
    } catch {
      return false;
    }
  }

  modelMetadata(model: string, version: string): ModelMetadata {
    const { served, config } = this.#repository.find(model, version);
    const { signature } = served;
    const versions =
      version === ""
        ? this.#repository.ready(model).map((ready) => ready.served.signature.version)
        : [signature.version];
    return {
      name: model,
      versions,
      platform: config.platform || config.backend,
      inputs: signature.inputs.map((spec) => tensorMetadata(spec, signature)),
      outputs: signature.outputs.map((spec) => tensorMetadata(spec, signature)),
    };
  }

  modelConfig(model: string, version: string) {
    return this.#repository.find(model, version).config;
  }

  modelStatistics(model: string, version: string) {
    return this.#selected(model, version).map(({ served }) => served.recorder.statistics());
  }

  defaultModel(): string | undefined {
    if (this.#options.defaultModel !== undefined) return this.#options.defaultModel;
    const names = this.#repository
      .names()
      .filter((name) => this.#repository.ready(name).length > 0);
    return names.length === 1 ? names[0] : undefined;
  }

  repositoryIndex({ ready }: { readonly ready: boolean }) {
    return this.#repository.index(ready);
  }

  async loadModel(model: string, options: LoadOptions = {}): Promise<void> {
    this.#checkControl();
    await this.#repository.load(model, options);
  }

  async unloadModel(
    model: string,
    { unloadDependents }: { readonly unloadDependents: boolean } = { unloadDependents: false },
  ): Promise<void> {
    this.#checkControl();
    const dependents = unloadDependents ? this.#stepsOf(model) : [];
    await this.#repository.unload(model);
    for (const name of dependents) await this.#repository.unload(name);
  }

  begin(header: RequestHeader): InferenceRequest {
    if (this.#state === "closed") throw new ServeError("UNAVAILABLE", "Server exiting");
    const request = this.#begin(header);
    this.#spans?.follow(request);
    return request;
  }

  metrics() {
    return this.#repository.allReady().map(({ served }) => {
      const { recorder, pendingRequests, pendingBytes } = served;
      return recorder.metrics(pendingRequests, pendingBytes);
    });
  }

  traceSettings(model: string) {
    if (model !== "") this.#repository.find(model, "");
    return this.#settings.trace(model);
  }

  updateTraceSettings(model: string, settings: Readonly<Record<string, readonly string[] | null>>) {
    if (model !== "") this.#repository.find(model, "");
    return this.#settings.updateTrace(model, settings);
  }

  logSettings() {
    return this.#settings.log();
  }

  updateLogSettings(settings: Readonly<Record<string, boolean | number | string>>) {
    return this.#settings.updateLog(settings);
  }

  startDrain(): void {
    if (this.#state !== "closed") this.#state = "draining";
    this.#stopWatching();
  }

  async idle(timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    const isIdle = (): boolean =>
      this.#repository.allReady().every(({ served }) => served.outstanding === 0);
    while (!isIdle()) {
      const restMs = until - performance.now();
      if (restMs <= 0) return false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(restMs, 10)));
    }
    return true;
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#stopWatching();
    for (const { served } of this.#repository.allReady()) served.abort();
    await this.#repository.close();
    for (const { device } of this.#devices) await device.close();
    this.sharedMemory.unregister("");
    await this.#spans?.close();
  }

  #begin(header: RequestHeader): ActiveRequest {
    return this.#repository.find(header.model, header.version).served.begin(header, this.#pool);
  }

  #recorder(model: string, version: string): Recorder {
    const key = `${model}/${version}`;
    let recorder = this.#recorders.get(key);
    if (recorder === undefined) {
      recorder = new Recorder(model, version);
      this.#recorders.set(key, recorder);
    }
    return recorder;
  }

  #selected(model: string, version: string): readonly ReadyVersion[] {
    if (model === "") return this.#repository.allReady();
    const found = this.#repository.find(model, version);
    return version === "" ? this.#repository.ready(model) : [found];
  }

  #stepsOf(model: string): readonly string[] {
    const steps = this.#repository.ready(model).flatMap(({ config }) => {
      return config.ensemble_scheduling?.step.map(({ model_name }) => model_name) ?? [];
    });
    return [...new Set(steps)];
  }

  #checkControl(): void {
    if (this.isModelControlAllowed) return;
    throw new ServeError(
      "UNAVAILABLE",
      "explicit model load / unload is not allowed: the server was started without --model-control explicit",
    );
  }
}

function tensorMetadata(spec: TensorSpec, signature: ModelSignature) {
  return { name: spec.name, datatype: spec.datatype, shape: metadataShape(spec, signature) };
}
