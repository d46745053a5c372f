import { fail } from "../../base/index.ts";
import type { ActiveRequest } from "../core/active-request.ts";
import { datatypeOfConfig } from "../core/datatype.ts";
import type { InferenceRequest, InferenceResponse, RequestHeader } from "../core/inference.ts";
import type { EnsembleStep, ModelConfig, ModelTensorConfig } from "../core/model-config.ts";
import { asServeError, ServeError } from "../core/serve-error.ts";
import type { ModelSignature } from "../core/signature.ts";
import type { ModelFacts, TensorFact } from "../repository/model-config.ts";
import type { TextMessage } from "../repository/text-format.ts";
import type { Recorder } from "../scheduler/recorder.ts";
import { ServedModel } from "../scheduler/served-model.ts";

/** Sends a request to another model of the server. @throws ServeError */
export type BeginStep = (header: RequestHeader) => InferenceRequest;

/** An ensemble's tensors are what its config says; nothing else knows them. */
export function ensembleFacts(config: TextMessage, at: string): ModelFacts {
  const tensors = (direction: "input" | "output"): readonly TensorFact[] =>
    ((config[direction] ?? []) as readonly ModelTensorConfig[]).map(({ name, data_type, dims }) => {
      const datatype = datatypeOfConfig(data_type ?? "");
      if (datatype === undefined || dims === undefined) {
        return fail(
          "N2F_CONFIG_INVALID",
          `${direction} ${name} of an ensemble needs data_type and dims`,
          {
            at,
          },
        );
      }
      return { name, datatypes: [datatype], dims, fullDims: dims };
    });
  return {
    platform: "ensemble",
    backend: "",
    inputs: tensors("input"),
    outputs: tensors("output"),
    maxBatchSize: Number(config["max_batch_size"] ?? 0),
    instanceKind: "KIND_CPU",
  };
}

/**
 * Checks that the steps join up: their models are ready and have the tensors, every tensor that is read is
 * made once, and none waits for itself.
 *
 * @returns the steps in an order in which they can begin
 * @throws N2F_CONFIG_INVALID, ServeError where a step's model is not ready
 */
export function ensembleSteps(
  config: ModelConfig,
  at: string,
  find: (model: string, version: string) => ModelConfig,
): readonly EnsembleStep[] {
  const wrong = (message: string): never => fail("N2F_CONFIG_INVALID", message, { at });
  const steps = config.ensemble_scheduling?.step ?? [];
  if (steps.length === 0) wrong("an ensemble needs steps in ensemble_scheduling");
  const known = new Set(config.input.map(({ name }) => name));
  const made = new Set(known);
  for (const { model_name, model_version = -1, input_map = {}, output_map = {} } of steps) {
    if (model_name === config.name) wrong("an ensemble cannot be a step of itself");
    const model = find(model_name, model_version > 0 ? String(model_version) : "");
    for (const name of Object.keys(input_map)) {
      if (!model.input.some((input) => input.name === name)) {
        wrong(`the model "${model_name}" of a step has no input "${name}"`);
      }
    }
    if (Object.keys(input_map).length !== model.input.length) {
      wrong(`a step does not give the model "${model_name}" all of its inputs`);
    }
    for (const name of Object.keys(output_map)) {
      if (!model.output.some((output) => output.name === name)) {
        wrong(`the model "${model_name}" of a step has no output "${name}"`);
      }
    }
    for (const tensor of Object.values(output_map)) {
      if (made.has(tensor)) wrong(`the tensor "${tensor}" is made twice`);
      made.add(tensor);
    }
  }
  const reads = steps.flatMap(({ input_map = {} }) => Object.values(input_map));
  for (const tensor of [...reads, ...config.output.map(({ name }) => name)]) {
    if (!made.has(tensor)) wrong(`no step makes the tensor "${tensor}"`);
  }
  const order: EnsembleStep[] = [];
  for (let rest = [...steps]; rest.length > 0; ) {
    const ready = rest.filter(({ input_map = {} }) =>
      Object.values(input_map).every((tensor) => known.has(tensor)),
    );
    if (ready.length === 0) wrong(`the step ${rest[0].model_name} waits for itself`);
    order.push(...ready);
    for (const { output_map = {} } of ready) {
      for (const tensor of Object.values(output_map)) known.add(tensor);
    }
    rest = rest.filter((step) => !ready.includes(step));
  }
  return order.map(({ input_map = {}, output_map = {}, ...step }) => {
    return { ...step, input_map, output_map };
  });
}

/** A tensor between two steps. */
interface Carried {
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Several models behind one name: each step starts when its tensors are there. */
export class EnsembleModel extends ServedModel {
  readonly #steps: readonly EnsembleStep[];
  readonly #beginStep: BeginStep;
  readonly #running = new Map<ActiveRequest, Set<InferenceRequest>>();

  constructor(
    signature: ModelSignature,
    recorder: Recorder,
    steps: readonly EnsembleStep[],
    begin: BeginStep,
  ) {
    super(signature, recorder);
    this.#steps = steps;
    this.#beginStep = begin;
  }

  /** Names of the models that it stands on. */
  get models(): readonly string[] {
    return this.#steps.map(({ model_name }) => model_name);
  }

  override get pendingRequests(): number {
    return 0;
  }

  override get pendingBytes(): number {
    return 0;
  }

  override enqueue(request: ActiveRequest): void {
    const started = performance.now();
    this.#running.set(request, new Set());
    // The inputs stay while steps read them, whatever becomes of the request.
    request.runsInFlight++;
    this.#run(request).then(
      (responses) => {
        request.runsInFlight--;
        if (!request.isSettled) {
          const inferMs = performance.now() - started;
          const times = { inputMs: 0, inferMs, outputMs: 0 };
          this.recorder.run(request.rows, times);
          const totalMs = performance.now() - request.begunMs;
          this.recorder.succeed(request.rows, { ...times, totalMs, queueMs: 0 });
          request.succeed();
        }
        this.#end(request, responses);
      },
      (error) => {
        request.runsInFlight--;
        const { status, message } = asServeError(error);
        const text = `in ensemble '${this.signature.model}', ${message}`;
        const reason = status === "UNAVAILABLE" ? "REJECTED" : "BACKEND";
        request.fail(new ServeError(status, text, { cause: error }), reason);
        this.#end(request, []);
      },
    );
  }

  override drop(request: ActiveRequest): void {
    for (const step of this.#running.get(request) ?? []) step.cancel();
  }

  override abort(): void {
    for (const request of this.#running.keys()) request.cancel();
  }

  #end(request: ActiveRequest, responses: readonly InferenceResponse[]): void {
    for (const response of responses) response.release();
    this.#running.delete(request);
    request.releaseIfIdle();
    this.checkIdle();
  }

  protected override isIdle(): boolean {
    return super.isIdle() && this.#running.size === 0;
  }

  async #run(request: ActiveRequest): Promise<readonly InferenceResponse[]> {
    const tensors = new Map<string, Promise<Carried>>();
    const responses: InferenceResponse[] = [];
    this.signature.inputs.forEach(({ name, datatype }, i) => {
      const { shape, bytes } = request.input(i);
      tensors.set(name, Promise.resolve({ datatype, shape, bytes }));
    });
    const runs = this.#steps.map((step) => {
      const response = this.#runStep(request, step, tensors);
      for (const [output, tensor] of Object.entries(step.output_map)) {
        const carried = response.then((made) => {
          const found = made.outputs.find(({ name }) => name === output);
          if (found !== undefined) return found;
          throw new ServeError(
            "INTERNAL",
            `the model '${step.model_name}' has no output '${output}'`,
          );
        });
        carried.catch(() => {});
        tensors.set(tensor, carried);
      }
      return response.then((made) => responses.push(made));
    });
    const results = await Promise.allSettled(runs);
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) {
      for (const response of responses) response.release();
      throw failed.reason;
    }
    for (const [i, { name, datatype, rowBytes }] of this.signature.outputs.entries()) {
      if (request.isSettled || !request.isWanted(i)) continue;
      const made = await (tensors.get(name) as Promise<Carried>);
      if (
        made.datatype !== datatype ||
        (rowBytes >= 0 && made.bytes.length !== rowBytes * request.rows)
      ) {
        for (const response of responses) response.release();
        throw new ServeError(
          "INTERNAL",
          `output '${name}' came as ${made.datatype} of shape [${made.shape}], which is not what the config says`,
        );
      }
      request.output(i, made.bytes.length, made.shape).set(made.bytes);
    }
    return responses;
  }

  async #runStep(
    request: ActiveRequest,
    { model_name, model_version = -1, input_map, output_map }: EnsembleStep,
    tensors: ReadonlyMap<string, Promise<Carried>>,
  ): Promise<InferenceResponse> {
    const names = Object.keys(input_map);
    const inputs = await Promise.all(
      names.map((name) => tensors.get(input_map[name]) as Promise<Carried>),
    );
    if (request.isSettled) throw new ServeError("CANCELLED", "the request was cancelled");
    const step = this.#beginStep({
      model: model_name,
      version: model_version > 0 ? String(model_version) : "",
      id: request.id,
      inputs: inputs.map(({ datatype, shape }, i) => ({ name: names[i], datatype, shape })),
      outputs: Object.keys(output_map).map((name) => ({ name })),
      ...(request.priority > 0 && { parameters: new Map([["priority", request.priority]]) }),
      deadlineMs: request.deadlineMs,
      traceparent: request.traceparent,
    });
    const running = this.#running.get(request);
    running?.add(step);
    try {
      for (const [i, slot] of step.inputs.entries()) {
        slot.open(inputs[i].bytes.length).set(inputs[i].bytes);
      }
      return await step.run();
    } finally {
      step.cancel();
      running?.delete(step);
    }
  }

  protected override async release(): Promise<void> {}
}
