import type { Datatype } from "./datatype.ts";
import type { ServeError } from "./serve-error.ts";

/** A value of a request's or tensor's `parameters`. 64-bit integers may come as bigint. */
export type ParameterValue = boolean | number | bigint | string;
export type Parameters = ReadonlyMap<string, ParameterValue>;

/** What a request says of one of its inputs before the bytes come. */
export interface InputHeader {
  readonly name: string;
  /** As it stands on the wire; the core refuses what is no datatype. */
  readonly datatype: string;
  /** With the leading batch axis where the model has one. */
  readonly shape: readonly number[];
}

/** One output that a request asks for. */
export interface OutputHeader {
  readonly name: string;
  /** Top k as BYTES "value:index[:label]" instead of the tensor; 0 or absent for the tensor. */
  readonly classification?: number;
}

/** All of a request that stands before the bytes of its tensors. */
export interface RequestHeader {
  readonly model: string;
  /** "" takes the version that the model's policy names. */
  readonly version: string;
  readonly id: string;
  readonly inputs: readonly InputHeader[];
  /** Which outputs, in which order. Empty for all, in the model's order. */
  readonly outputs: readonly OutputHeader[];
  /**
   * The request's own parameters. The core takes `priority` and `timeout` (us, of the queue), accepts
   * `sequence_*` and `triton_enable_empty_final_response`, refuses any other `triton_*`.
   */
  readonly parameters?: Parameters | undefined;
  /** When the client stops waiting (`grpc-timeout`), on the clock of `performance.now()`. */
  readonly deadlineMs?: number | undefined;
  /** The client's trace context, if it sent one (`traceparent`). */
  readonly traceparent?: string | undefined;
}

/** A place for one input's bytes. */
export interface InputSlot {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** What `open` must be given; -1 for BYTES, where any length may come. */
  readonly expectedBytes: number;
  /**
   * Takes a pooled buffer for the tensor: raw little-endian elements, as on the wire. Fill it in any
   * pieces, all of it before `submit`. The view is valid until `submit`, `cancel` or an error.
   *
   * @throws ServeError INVALID_ARG "input byte size mismatch ..."
   */
  open(byteLength: number): Uint8Array;
  /** The opened buffer; undefined before `open`. */
  readonly bytes: Uint8Array | undefined;
}

/** One tensor of a response. */
export interface OutputTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Raw little-endian elements in a pooled buffer, valid until the response is released. */
  readonly bytes: Uint8Array;
}

export interface InferenceResponse {
  readonly model: string;
  /** An integer as text. */
  readonly version: string;
  readonly id: string;
  readonly outputs: readonly OutputTensor[];
  /** Gives the buffers back to the pool. Call it once, when the bytes are no longer needed. */
  release(): void;
}

/** Called exactly once for each submitted request, never from within `submit`. */
export type InferenceDone = (
  error: ServeError | undefined,
  response: InferenceResponse | undefined,
) => void;

/**
 * A request whose header was accepted. `begin`, fill `inputs`, `submit`; or `cancel` at any time.
 */
export interface InferenceRequest {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  /** In the order of the header. */
  readonly inputs: readonly InputSlot[];
  /**
   * Queues the request. Its failure, be it a full queue or an input that was never opened, is told
   * through `done`, later; `submit` itself does not throw.
   */
  submit(done: InferenceDone): void;
  /** The same as a promise. */
  run(): Promise<InferenceResponse>;
  /**
   * Drops the request: RST_STREAM, a closed socket, a front end's own error. Queued work is not started,
   * running work is not awaited; `done`, if there is one, is told CANCELLED. Harmless afterwards.
   */
  cancel(): void;
}
