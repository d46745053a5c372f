import type { InferenceCore, InferenceResponse, ServeError } from "../core/index.ts";
import { GatheredBytes } from "../wire/gathered-bytes.ts";
import type { PendingRequest } from "../wire/pending-request.ts";
import type { CallHandler, GrpcCall } from "./call.ts";
import { decompress } from "./compression.ts";
import { InferReader } from "./infer-reader.ts";
import { encodeInferResponse } from "./infer-writer.ts";
import { GrpcError, grpcStatus } from "./status.ts";

/** `ModelInfer`: the hot path. One message in, decoded as it comes; one out. */
export class InferCall implements CallHandler {
  readonly #core: InferenceCore;
  readonly #call: GrpcCall;
  #reader: InferReader | undefined;
  #compressed: GatheredBytes | undefined;

  constructor(core: InferenceCore, call: GrpcCall) {
    this.#core = core;
    this.#call = call;
  }

  start(byteLength: number, isCompressed: boolean): void {
    if (this.#reader !== undefined || this.#compressed !== undefined) throw secondMessage();
    if (isCompressed) this.#compressed = new GatheredBytes();
    else this.#reader = new InferReader(this.#core, this.#call, byteLength);
  }

  data(bytes: Buffer): void {
    if (this.#reader !== undefined) this.#reader.push(bytes);
    else this.#compressed?.push(bytes);
  }

  end(): void {
    if (this.#reader !== undefined) this.#submit(this.#reader);
    else if (this.#compressed !== undefined) void this.#decompress(this.#compressed.take());
  }

  inputEnded(): void {
    if (this.#reader === undefined && this.#compressed === undefined) {
      this.#call.fail(noMessage());
    }
  }

  closed(): void {
    this.#reader?.cancel();
  }

  async #decompress(bytes: Buffer): Promise<void> {
    const { encoding, maxMessageBytes } = this.#call;
    try {
      const message = await decompress(bytes, encoding, maxMessageBytes);
      if (this.#call.isEnded) return;
      this.#reader = new InferReader(this.#core, this.#call, message.length);
      this.#reader.push(message);
      this.#submit(this.#reader);
    } catch (error) {
      this.#reader?.cancel();
      this.#call.fail(error);
    }
  }

  #submit(reader: InferReader): void {
    const pending = reader.finish();
    pending.request.submit((error, response) => this.#answer(pending, error, response));
  }

  #answer(
    pending: PendingRequest,
    error: ServeError | undefined,
    response: InferenceResponse | undefined,
  ): void {
    const call = this.#call;
    if (response === undefined) {
      call.fail(error);
      return;
    }
    if (call.isEnded) {
      response.release();
      return;
    }
    try {
      pending.storeShared(response);
      const { pieces, isBorrowed } = encodeInferResponse(response, (o) => pending.isShared(o));
      call.finish(pieces, isBorrowed ? () => response.release() : undefined);
      if (!isBorrowed) response.release();
    } catch (problem) {
      response.release();
      call.fail(problem);
    }
  }
}

export function secondMessage(): GrpcError {
  return new GrpcError(
    grpcStatus.UNIMPLEMENTED,
    "the call takes one request message, and two came",
  );
}

export function noMessage(): GrpcError {
  return new GrpcError(
    grpcStatus.UNIMPLEMENTED,
    "the call takes one request message, and none came",
  );
}
