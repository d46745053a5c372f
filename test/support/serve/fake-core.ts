import {
  configDatatype,
  type Datatype,
  datatypeBytes,
  type InferenceCore,
  type InferenceDone,
  type InferenceRequest,
  type InferenceResponse,
  type InputSlot,
  isDatatype,
  type LoadOptions,
  type LogSettings,
  type ModelConfig,
  type OutputTensor,
  type RequestHeader,
  ServeError,
  type SharedMemoryRegion,
} from "../../../src/serve/index.ts";

/** A model of the fake core: one input and outputs of the same type, computed by `run`. */
export interface FakeModel {
  readonly name: string;
  readonly datatype: Datatype;
  /** Without the batch. -1 for any size. */
  readonly dims: readonly number[];
  readonly maxBatch: number;
  readonly delayMs?: number;
  readonly outputs?: readonly string[];
  /** Bytes of an output for those of the input; a copy if absent. */
  readonly run?: (input: Uint8Array, output: number) => Uint8Array;
}

/**
 * A core without devices: the contract that the wires rely on, for tests of the wires alone. It answers
 * each output with the input's bytes. `held` counts requests that were begun and not yet let go.
 */
export class FakeCore implements InferenceCore {
  isLive = true;
  isReady = true;
  isModelControlAllowed = true;
  held = 0;
  begun = 0;
  cancelled = 0;
  lastHeader: RequestHeader | undefined;
  lastLoad: { model: string; options: LoadOptions | undefined } | undefined;
  /** Buffers to use again, by size, as the real core has them. */
  readonly pool = new Map<number, Uint8Array[]>();
  readonly #models = new Map<string, FakeModel>();
  readonly #regions = new Map<string, SharedMemoryRegion & { bytes: Uint8Array }>();
  readonly #reliefs: (() => void)[] = [];
  #trace: Record<string, readonly string[]> = { trace_level: ["OFF"], trace_rate: ["1000"] };
  #log: Record<string, boolean | number | string> = { log_info: true, log_verbose_level: 0 };

  readonly pressure = {
    bytesInFlight: 0,
    limitBytes: 1 << 30,
    isHigh: false,
    onRelief: (callback: () => void): void => {
      if (this.pressure.isHigh) this.#reliefs.push(callback);
      else setImmediate(callback);
    },
  };

  constructor(models: readonly FakeModel[]) {
    for (const model of models) this.#models.set(model.name, model);
  }

  relieve(): void {
    this.pressure.isHigh = false;
    for (const callback of this.#reliefs.splice(0)) callback();
  }

  metadata() {
    return {
      name: "triton",
      version: "0.0.0-test",
      extensions: ["statistics", "binary_tensor_data"],
    };
  }

  #find(name: string, version: string): FakeModel {
    const model = this.#models.get(name);
    if (model === undefined) {
      throw new ServeError("NOT_FOUND", `Request for unknown model: '${name}' is not found`);
    }
    if (version !== "" && version !== "1") {
      throw new ServeError(
        "NOT_FOUND",
        `Request for unknown model: '${name}' version ${version} is not found`,
      );
    }
    return model;
  }

  isModelReady(name: string, version: string): boolean {
    return this.#models.has(name) && (version === "" || version === "1");
  }

  modelMetadata(name: string, version: string) {
    const model = this.#find(name, version);
    const shape = model.maxBatch > 0 ? [-1, ...model.dims] : model.dims;
    const { datatype } = model;
    return {
      name,
      versions: ["1"],
      platform: "nn2fpga",
      inputs: [{ name: "INPUT0", datatype, shape }],
      outputs: outputsOf(model).map((output) => ({ name: output, datatype, shape })),
    };
  }

  modelConfig(name: string, version: string): ModelConfig {
    const model = this.#find(name, version);
    const data_type = configDatatype(model.datatype);
    return {
      name,
      platform: "",
      backend: "nn2fpga",
      version_policy: { latest: { num_versions: 1 } },
      max_batch_size: model.maxBatch,
      input: [{ name: "INPUT0", data_type, dims: model.dims }],
      output: outputsOf(model).map((output) => ({ name: output, data_type, dims: model.dims })),
      model_repository_agents: { agents: [{ name: "checksum", parameters: { "1/x": "MD5:0" } }] },
      dynamic_batching: { max_queue_delay_microseconds: 100 },
    };
  }

  modelStatistics(name: string, version: string) {
    const names = name === "" ? [...this.#models.keys()] : [this.#find(name, version).name];
    const some = { count: this.begun, ns: this.begun * 1000 };
    const none = { count: 0, ns: 0 };
    return names.map((model) => ({
      name: model,
      version: "1",
      last_inference: 1_700_000_000_000,
      inference_count: this.begun,
      execution_count: this.begun,
      inference_stats: {
        success: some,
        fail: none,
        queue: some,
        compute_input: some,
        compute_infer: some,
        compute_output: some,
        cache_hit: none,
        cache_miss: none,
      },
      batch_stats: [
        { batch_size: 1, compute_input: some, compute_infer: some, compute_output: some },
      ],
    }));
  }

  defaultModel(): string | undefined {
    return this.#models.size === 1 ? [...this.#models.keys()][0] : undefined;
  }

  repositoryIndex({ ready }: { ready: boolean }) {
    const entries = [...this.#models.keys()].map((name) => ({
      name,
      version: "1",
      state: "READY" as const,
      reason: "",
    }));
    const broken = {
      name: "broken",
      version: "",
      state: "UNAVAILABLE" as const,
      reason: "no bundle",
    };
    return ready ? entries : [...entries, broken];
  }

  async loadModel(model: string, options?: LoadOptions): Promise<void> {
    this.lastLoad = { model, options };
    if (!this.#models.has(model)) {
      throw new ServeError("INTERNAL", `failed to load '${model}', no such folder`);
    }
  }

  async unloadModel(model: string): Promise<void> {
    this.#find(model, "");
  }

  begin(header: RequestHeader): InferenceRequest {
    this.lastHeader = header;
    const model = this.#find(header.model, header.version);
    if (header.inputs.length !== 1) {
      throw new ServeError(
        "INVALID_ARG",
        `expected 1 inputs but got ${header.inputs.length} inputs for model '${header.model}'.`,
      );
    }
    const [input] = header.inputs;
    if (input.name !== "INPUT0") {
      throw new ServeError("INVALID_ARG", `unexpected inference input '${input.name}'`);
    }
    if (!isDatatype(input.datatype) || input.datatype !== model.datatype) {
      throw new ServeError(
        "INVALID_ARG",
        `inference input 'INPUT0' data-type is '${input.datatype}', but model '${header.model}' ` +
          `expects '${model.datatype}'`,
      );
    }
    const dims = model.maxBatch > 0 ? [-1, ...model.dims] : model.dims;
    const fits = (size: number, at: number) => size >= 0 && (dims[at] === -1 || dims[at] === size);
    if (input.shape.length !== dims.length || !input.shape.every(fits)) {
      throw new ServeError(
        "INVALID_ARG",
        `unexpected shape for input 'INPUT0' for model '${header.model}'. Expected ` +
          `[${dims}], got [${input.shape}]. `,
      );
    }
    if (model.maxBatch > 0 && input.shape[0] > model.maxBatch) {
      throw new ServeError(
        "INVALID_ARG",
        `inference request batch-size must be <= ${model.maxBatch} for '${header.model}'`,
      );
    }
    for (const { name } of header.outputs) {
      if (!outputsOf(model).includes(name)) {
        throw new ServeError("INVALID_ARG", `unexpected inference output '${name}'`);
      }
    }
    return new FakeRequest(this, model, header);
  }

  readonly sharedMemory = {
    isEnabled: true,
    register: (region: SharedMemoryRegion): void => {
      if (this.#regions.has(region.name)) {
        throw new ServeError(
          "ALREADY_EXISTS",
          `shared memory region '${region.name}' already in manager`,
        );
      }
      this.#regions.set(region.name, { ...region, bytes: new Uint8Array(region.byteSize) });
    },
    unregister: (name: string): void => {
      if (name === "") this.#regions.clear();
      else this.#regions.delete(name);
    },
    status: (name: string): readonly SharedMemoryRegion[] =>
      [...this.#regions.values()].filter((region) => name === "" || region.name === name),
    read: (name: string, offset: number, into: Uint8Array): void => {
      into.set(this.region(name).subarray(offset, offset + into.length));
    },
    write: (
      name: string,
      offset: number,
      size: number,
      output: string,
      bytes: Uint8Array,
    ): void => {
      if (size < bytes.length) {
        throw new ServeError(
          "INVALID_ARG",
          `shared memory size specified with the request for output '${output}' (${size} bytes) ` +
            `should be at least ${bytes.length} bytes to hold the results`,
        );
      }
      this.region(name).set(bytes, offset);
    },
  };

  region(name: string): Uint8Array {
    const region = this.#regions.get(name);
    if (region !== undefined) return region.bytes;
    throw new ServeError("INVALID_ARG", `Unable to find shared memory region: '${name}'`);
  }

  metrics() {
    const histogram = { boundsUs: [100, 1000], counts: [1, 2, 3], sumUs: 12345 };
    return this.modelStatistics("", "").map((statistics) => ({
      statistics,
      failures: { REJECTED: 1, CANCELED: 2, BACKEND: 0, OTHER: 0 },
      pendingRequests: 4,
      pendingBytes: 5,
      loadSeconds: 0.5,
      requestDuration: histogram,
      queueDuration: histogram,
      computeDuration: histogram,
    }));
  }

  traceSettings() {
    return this.#trace;
  }

  updateTraceSettings(
    _model: string,
    settings: Readonly<Record<string, readonly string[] | null>>,
  ) {
    for (const [key, value] of Object.entries(settings)) {
      if (value === null) delete this.#trace[key];
      else this.#trace[key] = value;
    }
    return this.#trace;
  }

  logSettings(): LogSettings {
    return this.#log;
  }

  updateLogSettings(settings: LogSettings): LogSettings {
    this.#log = { ...this.#log, ...settings };
    return this.#log;
  }

  startDrain(): void {
    this.isReady = false;
  }

  async idle(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.isLive = false;
    this.isReady = false;
  }
}

const outputsOf = (model: FakeModel): readonly string[] => model.outputs ?? ["OUTPUT0"];

class FakeRequest implements InferenceRequest {
  readonly model: string;
  readonly version = "1";
  readonly id: string;
  readonly inputs: readonly InputSlot[];
  readonly #core: FakeCore;
  readonly #of: FakeModel;
  readonly #header: RequestHeader;
  #done: InferenceDone | undefined;
  #isOver = false;

  constructor(core: FakeCore, model: FakeModel, header: RequestHeader) {
    this.model = model.name;
    this.id = header.id;
    this.#core = core;
    this.#of = model;
    this.#header = header;
    this.inputs = [new FakeSlot(core, model, header.inputs[0].shape)];
    core.held++;
    core.begun++;
  }

  submit(done: InferenceDone): void {
    this.#done = done;
    const finish = () => this.#finish();
    if (this.#of.delayMs === undefined) setImmediate(finish);
    else setTimeout(finish, this.#of.delayMs);
  }

  run(): Promise<InferenceResponse> {
    return new Promise((resolve, reject) => {
      this.submit((error, response) =>
        response === undefined ? reject(error) : resolve(response),
      );
    });
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { bytes, datatype, shape } = this.inputs[0];
    const names = this.#header.outputs.map(({ name }) => name);
    const run = this.#of.run ?? ((input: Uint8Array) => input);
    const outputs: OutputTensor[] = (names.length > 0 ? names : outputsOf(this.#of)).map(
      (name, at) => ({ name, datatype, shape, bytes: run(bytes ?? new Uint8Array(), at) }),
    );
    this.#done?.(undefined, {
      model: this.model,
      version: this.version,
      id: this.id,
      outputs,
      release: () => this.#release(),
    });
  }

  #release(): void {
    const { held, pool } = this.#core;
    if (held === 0) throw new Error("a request was let go twice");
    this.#core.held--;
    const { bytes } = this.inputs[0];
    if (bytes === undefined) return;
    const free = pool.get(bytes.length);
    if (free === undefined) pool.set(bytes.length, [bytes]);
    else free.push(bytes);
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#core.cancelled++;
    const done = this.#done;
    if (done !== undefined) {
      setImmediate(() => done(new ServeError("CANCELLED", "request was cancelled"), undefined));
    }
  }
}

class FakeSlot implements InputSlot {
  readonly name = "INPUT0";
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly expectedBytes: number;
  readonly #core: FakeCore;
  readonly #model: string;
  bytes: Uint8Array | undefined;

  constructor(core: FakeCore, model: FakeModel, shape: readonly number[]) {
    this.#core = core;
    this.datatype = model.datatype;
    this.shape = shape;
    this.#model = model.name;
    const count = shape.reduce((product, size) => product * size, 1);
    this.expectedBytes = model.datatype === "BYTES" ? -1 : count * datatypeBytes[model.datatype];
  }

  open(byteLength: number): Uint8Array {
    if (this.expectedBytes !== -1 && byteLength !== this.expectedBytes) {
      throw new ServeError(
        "INVALID_ARG",
        `input byte size mismatch for input 'INPUT0' for model '${this.#model}'. Expected ` +
          `${this.expectedBytes}, got ${byteLength}`,
      );
    }
    this.bytes = this.#core.pool.get(byteLength)?.pop() ?? new Uint8Array(byteLength);
    return this.bytes;
  }
}
