import { type Answer, Caller, type CallPlan } from "./caller.ts";
import type { ModelDescription, ModelTensor } from "./service.ts";
import { bytesOf, numbersOf, type WireTensor } from "./tensor.ts";
import { ThreadCaller } from "./thread-caller.ts";

/** How a call meets the thread that makes it. */
export type SonicMode = "Async" | "PseudoAsync" | "Sync";

export interface SonicOptions extends Partial<Omit<CallPlan, "model">> {
  readonly model: string;
  /**
   * `Async` (default): the call is made in this thread and its answer comes by callback. `PseudoAsync`: it
   * is made in a thread of its own. `Sync`: likewise, and this thread stands still until the answer is there.
   */
  readonly mode?: SonicMode;
  /** Outputs to ask for; all by default. */
  readonly outputs?: readonly string[];
  /** Told of each call: which service, how many tries, how long. */
  readonly onCall?: (call: CallReport) => void;
}

export interface CallReport {
  readonly model: string;
  readonly service: string;
  readonly tries: number;
  readonly clientMs: number;
}

/** The inputs of one call. `batchSize` is the leading axis of all tensors that have one. */
export class Inputs {
  readonly #description: ModelDescription;
  readonly #given = new Map<string, { numbers: ArrayLike<number>; shape?: readonly number[] }>();
  batchSize = 1;

  constructor(description: ModelDescription) {
    this.#description = description;
  }

  /**
   * Gives one input's numbers, row-major.
   * @param shape only where the model leaves an axis open beside the batch
   */
  set(name: string, numbers: ArrayLike<number>, shape?: readonly number[]): void {
    const { inputs } = this.#description;
    if (!inputs.some((input) => input.name === name)) {
      const names = inputs.map((input) => input.name).join(", ");
      throw new TypeError(`the model has no input '${name}'; it has ${names}`);
    }
    this.#given.set(name, { numbers, ...(shape && { shape }) });
  }

  tensors(): WireTensor[] {
    return this.#description.inputs.map((input) => {
      const given = this.#given.get(input.name);
      if (given === undefined) throw new TypeError(`input '${input.name}' was not set`);
      const shape = given.shape ?? this.#shapeOf(input);
      const size = shape.reduce((a, b) => a * b, 1);
      if (size !== given.numbers.length) {
        throw new TypeError(
          `input '${input.name}' of shape [${shape}] takes ${size} numbers, ${given.numbers.length} were set`,
        );
      }
      const { name, datatype } = input;
      return { name, datatype, shape, bytes: bytesOf(datatype, given.numbers) };
    });
  }

  #shapeOf({ name, shape }: ModelTensor): number[] {
    return shape.map((extent, axis) => {
      if (extent >= 0) return extent;
      if (axis === 0) return this.batchSize;
      throw new TypeError(`input '${name}' has an open axis ${axis}: give its shape`);
    });
  }
}

/** One output of a call. */
export interface Output {
  readonly shape: readonly number[];
  readonly numbers: ArrayLike<number>;
}

/** The outputs of one call. */
export class Outputs {
  readonly #tensors: readonly WireTensor[];

  constructor(tensors: readonly WireTensor[]) {
    this.#tensors = tensors;
  }

  get(name: string): Output {
    const tensor = this.#tensors.find((output) => output.name === name);
    if (tensor === undefined) {
      const names = this.#tensors.map((output) => output.name).join(", ");
      throw new TypeError(`the answer has no output '${name}'; it has ${names}`);
    }
    return { shape: tensor.shape, numbers: numbersOf(tensor) };
  }
}

/**
 * The two halves of a job's module around a call, as CMSSW's ExternalWork has them: `acquire` builds the
 * inputs of an event, `produce` reads the answer; between them the job's thread does other work.
 */
export interface ExternalWork<Event, Product> {
  acquire(event: Event, inputs: Inputs): void;
  produce(event: Event, outputs: Outputs): Product;
}

/**
 * Sends a model's inputs to whoever serves it: a server behind the network, another one, or a device in this
 * process. The job's code is the same for all of them.
 *
 * @example
 * const client = await SonicClient.open({
 *   model: "facile",
 *   servers: [{ address: "fpga01:8001" }, { address: "fpga02:8001" }],
 *   allowedTries: 2,
 *   fallback: { repository: "facile.n2f" },
 * });
 * const energies = await client.process(event, {
 *   acquire(event, inputs) {
 *     inputs.batchSize = event.channels;
 *     inputs.set("features", event.features);
 *   },
 *   produce: (_event, outputs) => outputs.get("energy").numbers,
 * });
 */
export class SonicClient {
  readonly #options: SonicOptions;
  readonly #caller: Caller | ThreadCaller;
  readonly #description: ModelDescription;

  private constructor(
    options: SonicOptions,
    caller: Caller | ThreadCaller,
    description: ModelDescription,
  ) {
    this.#options = options;
    this.#caller = caller;
    this.#description = description;
  }

  /** Finds a server that has the model, and asks what it takes. @throws ServiceError where nobody has it */
  static async open(options: SonicOptions): Promise<SonicClient> {
    const { mode = "Async", model } = options;
    const plan: CallPlan = {
      model,
      version: options.version ?? "",
      servers: options.servers ?? [],
      ...(options.preferredServer !== undefined && { preferredServer: options.preferredServer }),
      ...(options.fallback !== undefined && { fallback: options.fallback }),
      allowedTries: Math.max(1, options.allowedTries ?? 1),
      retriesElsewhere: options.retriesElsewhere ?? true,
      timeoutMs: options.timeoutMs ?? 0,
    };
    const caller = mode === "Async" ? new Caller(plan) : new ThreadCaller(plan);
    try {
      return new SonicClient(options, caller, await caller.describe());
    } catch (error) {
      await caller.close();
      throw error;
    }
  }

  get description(): ModelDescription {
    return this.#description;
  }

  /**
   * Builds the inputs and launches the call. In mode `Sync` it comes back when the answer is there, in the
   * others at once; the promise is the waiting task's holder.
   */
  acquire(build: (inputs: Inputs) => void): Promise<Outputs> {
    const inputs = new Inputs(this.#description);
    build(inputs);
    const { model, version = "", outputs = [] } = this.#options;
    const request = { model, version, inputs: inputs.tensors(), outputs };
    const started = performance.now();
    const finish = ({ response, service, tries }: Answer): Outputs => {
      this.#options.onCall?.({ model, service, tries, clientMs: performance.now() - started });
      return new Outputs(response.outputs);
    };
    if (this.#options.mode === "Sync" && this.#caller instanceof ThreadCaller) {
      try {
        return Promise.resolve(finish(this.#caller.inferBlocking(request)));
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#caller.infer(request).then(finish);
  }

  /** One event through both halves of a module. An event with `batchSize` 0 makes no call. */
  async process<Event, Product>(
    event: Event,
    work: ExternalWork<Event, Product>,
  ): Promise<Product> {
    let isEmpty = false;
    const call = () =>
      this.acquire((inputs) => {
        work.acquire(event, inputs);
        isEmpty = inputs.batchSize === 0;
        if (isEmpty) throw emptyBatch;
      });
    try {
      return work.produce(event, await call());
    } catch (error) {
      if (isEmpty && error === emptyBatch) return work.produce(event, this.#emptyOutputs());
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#caller.close();
  }

  #emptyOutputs(): Outputs {
    return new Outputs(
      this.#description.outputs.map(({ name, datatype, shape }) => ({
        name,
        datatype,
        shape: [0, ...shape.slice(1)],
        bytes: new Uint8Array(0),
      })),
    );
  }
}

/** Leaves `acquire` before anything is sent. */
const emptyBatch = new Error("the batch is empty");
