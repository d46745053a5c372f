import type { BufferPool, PooledBuffer } from "./buffer-pool.ts";
import {
  type CheckedHeader,
  checkStrings,
  countElements,
  type SchedulingParameters,
} from "./check-request.ts";
import { classify } from "./classification.ts";
import { datatypeBytes } from "./datatype.ts";
import type {
  InferenceDone,
  InferenceRequest,
  InferenceResponse,
  InputSlot,
  OutputTensor,
  RequestHeader,
} from "./inference.ts";
import { asServeError, ServeError } from "./serve-error.ts";
import type { ModelSignature, TensorSpec } from "./signature.ts";
import type { FailureReason } from "./statistics.ts";

/** What a request needs of the model that it goes to. */
export interface RequestOwner {
  readonly signature: ModelSignature;
  /** Takes a request whose inputs are complete; settles it now or later. */
  enqueue(request: ActiveRequest): void;
  /** A queued or running request was cancelled: its work is not wanted any more. */
  drop(request: ActiveRequest): void;
  /** The request is settled; `failure` says why, if it is not answered. */
  left(request: ActiveRequest, failure: FailureReason | undefined): void;
}

class Slot implements InputSlot {
  readonly name: string;
  readonly datatype: InputSlot["datatype"];
  readonly shape: readonly number[];
  readonly expectedBytes: number;
  readonly #request: ActiveRequest;
  buffer: PooledBuffer | undefined;

  constructor(request: ActiveRequest, spec: TensorSpec, shape: readonly number[], bytes: number) {
    this.#request = request;
    this.name = spec.name;
    this.datatype = spec.datatype;
    this.shape = shape;
    this.expectedBytes = bytes;
  }

  get bytes(): Uint8Array | undefined {
    return this.buffer?.bytes;
  }

  open(byteLength: number): Uint8Array {
    const model = this.#request.model;
    if (this.expectedBytes >= 0 && byteLength !== this.expectedBytes) {
      throw new ServeError(
        "INVALID_ARG",
        `input byte size mismatch for input '${this.name}' for model '${model}'. Expected ${this.expectedBytes}, got ${byteLength}`,
      );
    }
    if (this.#request.isClosed || this.buffer !== undefined) {
      throw new ServeError(
        "INTERNAL",
        `input '${this.name}' for model '${model}' was opened twice`,
      );
    }
    this.buffer = this.#request.pool.take(byteLength);
    return this.buffer.bytes;
  }
}

/** An output as the backend fills it. */
interface FilledOutput {
  readonly buffer: PooledBuffer;
  /** Without it, the shape follows from the model's dims and the rows. */
  readonly shape: readonly number[] | undefined;
}

/**
 * A request from its header to its answer. The scheduler keeps its own notes in the plain fields: which rows
 * have been started, which are done, and how long that took.
 */
export class ActiveRequest implements InferenceRequest {
  readonly id: string;
  readonly inputs: readonly Slot[];
  readonly rows: number;
  readonly priority: number;
  readonly timeoutUs: number;
  /** On the clock of `performance.now()`; infinite without. */
  readonly deadlineMs: number;
  readonly traceparent: string | undefined;
  readonly owner: RequestOwner;
  readonly pool: BufferPool;
  readonly begunMs = performance.now();
  readonly #wanted: readonly number[];
  readonly #classifications: readonly number[] | undefined;
  readonly #byModelOrder: readonly Slot[];
  #outputs: (FilledOutput | undefined)[] = [];
  #done: InferenceDone | undefined;
  #isSubmitted = false;
  #isSettled = false;
  #isAnswered = false;

  /** Told once, when it is answered or has failed. */
  onSettled: ((error: ServeError | undefined) => void) | undefined;

  /** The scheduler's notes. */
  level = 0;
  queuedMs = 0;
  expiresMs = Number.POSITIVE_INFINITY;
  /** Rows that runs have taken, and rows that came back. */
  rowsTaken = 0;
  rowsDone = 0;
  runsInFlight = 0;
  startedMs = 0;
  inputMs = 0;
  inferMs = 0;
  outputMs = 0;

  constructor(
    owner: RequestOwner,
    header: RequestHeader,
    { rows, places, wanted }: CheckedHeader,
    { priority, timeoutUs }: SchedulingParameters,
    pool: BufferPool,
  ) {
    this.owner = owner;
    this.id = header.id;
    this.rows = rows;
    this.priority = priority;
    this.timeoutUs = timeoutUs;
    this.deadlineMs = header.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.traceparent = header.traceparent;
    this.pool = pool;
    this.#wanted = wanted;
    if (header.outputs.some(({ classification = 0 }) => classification > 0)) {
      this.#classifications = header.outputs.map(({ classification = 0 }) => classification);
    }
    this.#byModelOrder = owner.signature.inputs.map((spec, i) => {
      const { shape, name } = header.inputs[places[i]];
      const bytes =
        spec.rowBytes >= 0
          ? rows * spec.rowBytes
          : spec.datatype === "BYTES"
            ? -1
            : countElements(shape, name) * datatypeBytes[spec.datatype];
      return new Slot(this, spec, shape, bytes);
    });
    this.inputs = isInOrder(places)
      ? this.#byModelOrder
      : header.inputs.map((_, i) => this.#byModelOrder[places.indexOf(i)]);
  }

  get model(): string {
    return this.owner.signature.model;
  }

  get version(): string {
    return this.owner.signature.version;
  }

  /** Neither open for bytes nor for work. */
  get isClosed(): boolean {
    return this.#isSubmitted || this.#isSettled;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Bytes that the request holds. */
  get inputBytes(): number {
    let sum = 0;
    for (const { buffer } of this.#byModelOrder) sum += buffer?.bytes.length ?? 0;
    return sum;
  }

  submit(done: InferenceDone): void {
    if (this.#isSubmitted) throw new ServeError("INTERNAL", "a request was submitted twice");
    this.#isSubmitted = true;
    this.#done = done;
    if (this.#isSettled) {
      this.#tell(new ServeError("CANCELLED", "the request was cancelled"), undefined, true);
      return;
    }
    try {
      this.#checkInputs();
    } catch (error) {
      this.fail(asServeError(error), "OTHER", true);
      return;
    }
    this.owner.enqueue(this);
  }

  run(): Promise<InferenceResponse> {
    return new Promise((resolve, reject) => {
      this.submit((error, response) =>
        response === undefined ? reject(error) : resolve(response),
      );
    });
  }

  cancel(): void {
    if (this.#isSettled) return;
    if (this.#isSubmitted) {
      this.fail(new ServeError("CANCELLED", "the request was cancelled"), "CANCELED", true);
      this.owner.drop(this);
      return;
    }
    this.#isSettled = true;
    this.#releaseInputs();
    this.owner.left(this, undefined);
    this.onSettled?.(new ServeError("CANCELLED", "the request was cancelled"));
  }

  /** The bytes of the model's `i`-th input. */
  input(i: number): Slot & { readonly bytes: Uint8Array } {
    return this.#byModelOrder[i] as Slot & { readonly bytes: Uint8Array };
  }

  isWanted(output: number): boolean {
    return this.#wanted.includes(output);
  }

  /** Where the model's `i`-th output goes; of fixed size unless `bytes` and `shape` are given. */
  output(i: number, byteLength?: number, shape?: readonly number[]): Uint8Array {
    const known = this.#outputs[i];
    if (known !== undefined) return known.buffer.bytes;
    const { rowBytes } = this.owner.signature.outputs[i];
    const buffer = this.pool.take(byteLength ?? rowBytes * this.rows);
    this.#outputs[i] = { buffer, shape };
    return buffer.bytes;
  }

  /** All rows are done. */
  succeed(): void {
    if (this.#isSettled) return;
    let response: InferenceResponse;
    try {
      response = this.#respond();
    } catch (error) {
      this.fail(asServeError(error), "OTHER");
      return;
    }
    this.#isSettled = true;
    this.#isAnswered = true;
    this.#releaseInputs();
    this.owner.left(this, undefined);
    this.onSettled?.(undefined);
    this.#tell(undefined, response, false);
  }

  /** @param isLater tells it after the caller has returned: in `submit` and `cancel` */
  fail(error: ServeError, reason: FailureReason, isLater = false): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.releaseIfIdle();
    this.owner.left(this, reason);
    this.onSettled?.(error);
    this.#tell(error, undefined, isLater);
  }

  /** Gives the buffers of a failed request back, once no run reads or writes them any more. */
  releaseIfIdle(): void {
    if (!this.#isSettled || this.#isAnswered || this.runsInFlight > 0) return;
    this.#releaseInputs();
    this.#releaseOutputs();
  }

  #checkInputs(): void {
    const { model } = this;
    for (const slot of this.#byModelOrder) {
      if (slot.buffer === undefined) {
        throw new ServeError(
          "INVALID_ARG",
          `unable to find data for input tensor '${slot.name}' for model '${model}' in request.`,
        );
      }
      if (slot.datatype === "BYTES") {
        checkStrings(slot.buffer.bytes, countElements(slot.shape, slot.name), slot.name, model);
      }
    }
  }

  #respond(): InferenceResponse {
    const { outputs: specs, maxBatchSize } = this.owner.signature;
    const own = this.#outputs;
    const outputs = this.#wanted.map((place, k): OutputTensor => {
      const { name, datatype, dims, labels } = specs[place];
      const filled = own[place] as FilledOutput;
      const shape = filled.shape ?? (maxBatchSize > 0 ? [this.rows, ...dims] : dims);
      const tensor = { name, datatype, shape, bytes: filled.buffer.bytes };
      const top = this.#classifications?.[k] ?? 0;
      return top > 0 ? classify(tensor, top, labels, maxBatchSize > 0) : tensor;
    });
    return {
      model: this.model,
      version: this.version,
      id: this.id,
      outputs,
      release: () => this.#releaseOutputs(),
    };
  }

  #tell(
    error: ServeError | undefined,
    response: InferenceResponse | undefined,
    isLater: boolean,
  ): void {
    const done = this.#done;
    this.#done = undefined;
    if (done === undefined) return;
    if (isLater) process.nextTick(done, error, response);
    else done(error, response);
  }

  #releaseInputs(): void {
    for (const slot of this.#byModelOrder) {
      if (slot.buffer !== undefined) this.pool.give(slot.buffer);
      slot.buffer = undefined;
    }
  }

  #releaseOutputs(): void {
    const outputs = this.#outputs;
    this.#outputs = [];
    for (const output of outputs) if (output !== undefined) this.pool.give(output.buffer);
  }
}

function isInOrder(places: readonly number[]): boolean {
  return places.every((place, i) => place === i);
}
