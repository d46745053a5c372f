import { create, toBinary } from "@bufbuild/protobuf";
import type { InferenceCore, InferenceResponse, ServeError } from "../core/index.ts";
import { ModelStreamInferResponseSchema } from "../proto/inference_pb.ts";
import { GatheredBytes } from "../wire/gathered-bytes.ts";
import type { PendingRequest } from "../wire/pending-request.ts";
import type { CallHandler, GrpcCall } from "./call.ts";
import { decompress } from "./compression.ts";
import { frame } from "./framing.ts";
import { InferReader } from "./infer-reader.ts";
import { encodeInferResponse } from "./infer-writer.ts";
import { GrpcError, statusOf } from "./status.ts";

/** Requests of one stream that may wait for their answers before reading stops. */
const maxOpen = 256;

/** One request's place in the order of answers. */
interface Entry {
  reader: InferReader | undefined;
  pending: PendingRequest | undefined;
  /** The framed answer, once it is known. */
  answer: readonly Uint8Array[] | undefined;
  /** To release when the answer has been sent. */
  held: InferenceResponse | undefined;
  error: unknown;
}

/**
 * `ModelStreamInfer`: answers in the order of the requests. A request that fails is answered with
 * `error_message` and the stream goes on; with the metadata `triton_grpc_error: true` its status ends
 * the stream.
 */
export class StreamInferCall implements CallHandler {
  readonly #core: InferenceCore;
  readonly #call: GrpcCall;
  readonly #failsByStatus: boolean;
  #open: Entry[] = [];
  #current: Entry | undefined;
  #compressed: GatheredBytes | undefined;
  /** The current message is refused; its remaining bytes are passed over. */
  #isSkipping = false;
  #isInputEnded = false;
  #isPaused = false;
  /** Whether somebody will say when to look at it again. */
  #awaitsDrain = false;
  #awaitsRelief = false;

  constructor(core: InferenceCore, call: GrpcCall) {
    this.#core = core;
    this.#call = call;
    this.#failsByStatus = call.headers["triton_grpc_error"] === "true";
  }

  start(byteLength: number, isCompressed: boolean): void {
    const reader = isCompressed ? undefined : new InferReader(this.#core, this.#call, byteLength);
    this.#compressed = isCompressed ? new GatheredBytes() : undefined;
    this.#isSkipping = false;
    this.#current = {
      reader,
      pending: undefined,
      answer: undefined,
      held: undefined,
      error: undefined,
    };
    this.#open.push(this.#current);
  }

  data(bytes: Buffer): void {
    const entry = this.#current;
    if (entry === undefined || this.#isSkipping) return;
    if (entry.reader === undefined) this.#compressed?.push(bytes);
    else this.#guard(entry, (reader) => reader.push(bytes));
  }

  end(): void {
    const entry = this.#current;
    if (entry === undefined) return;
    this.#current = undefined;
    if (this.#compressed !== undefined) {
      void this.#decompress(entry, this.#compressed.take());
    } else if (!this.#isSkipping) this.#submit(entry);
    this.#settleReading();
  }

  inputEnded(): void {
    this.#isInputEnded = true;
    this.#flush();
  }

  closed(): void {
    for (const { reader, held } of this.#open) {
      reader?.cancel();
      held?.release();
    }
    this.#open = [];
  }

  async #decompress(entry: Entry, bytes: Buffer): Promise<void> {
    const { encoding, maxMessageBytes } = this.#call;
    try {
      const message = await decompress(bytes, encoding, maxMessageBytes);
      if (this.#call.isEnded) return;
      entry.reader = new InferReader(this.#core, this.#call, message.length);
      entry.reader.push(message);
      this.#submit(entry);
    } catch (error) {
      this.#refuse(entry, error);
    }
  }

  #guard(entry: Entry, step: (reader: InferReader) => void): void {
    try {
      step(entry.reader as InferReader);
    } catch (error) {
      this.#isSkipping = true;
      this.#refuse(entry, error);
    }
  }

  #submit(entry: Entry): void {
    this.#guard(entry, (reader) => {
      const pending = reader.finish();
      entry.pending = pending;
      pending.request.submit((error, response) => this.#answer(entry, pending, error, response));
    });
  }

  #answer(
    entry: Entry,
    pending: PendingRequest,
    error: ServeError | undefined,
    response: InferenceResponse | undefined,
  ): void {
    if (response === undefined) {
      if (!this.#call.isEnded) this.#refuse(entry, error);
      return;
    }
    if (this.#call.isEnded) {
      response.release();
      return;
    }
    try {
      pending.storeShared(response);
      const envelope = { isStream: true, isFinal: true };
      const encoded = encodeInferResponse(response, (o) => pending.isShared(o), envelope);
      entry.answer = encoded.pieces;
      if (encoded.isBorrowed) entry.held = response;
      else response.release();
    } catch (problem) {
      response.release();
      entry.error = problem;
    }
    this.#settle(entry);
  }

  #refuse(entry: Entry, error: unknown): void {
    entry.reader?.cancel();
    entry.error = error;
    this.#settle(entry);
  }

  /** The answer of `entry` is known. */
  #settle(entry: Entry): void {
    if (entry.answer === undefined && !this.#failsByStatus) {
      entry.answer = [errorAnswer(entry.reader, entry.error)];
    }
    this.#flush();
    this.#settleReading();
  }

  /** Sends the answers that are known, up to the first that is not. */
  #flush(): void {
    const call = this.#call;
    while (this.#open.length > 0 && !call.isEnded) {
      const [{ answer, held, error }] = this.#open;
      if (answer === undefined) {
        if (error !== undefined) call.fail(error);
        break;
      }
      this.#open.shift();
      call.send(answer, held && (() => held.release()));
    }
    if (this.#isInputEnded && this.#open.length === 0) call.finish();
  }

  /** Reads on, or not: many open answers, a slow reader on the other side, or little memory. */
  #settleReading(): void {
    const { stream } = this.#call;
    const { pressure } = this.#core;
    const { needsDrain } = stream;
    const isFull = this.#open.length >= maxOpen || needsDrain;
    if (!isFull && !(pressure.isHigh && this.#current === undefined)) {
      if (!this.#isPaused || stream.isClosed) return;
      this.#isPaused = false;
      stream.resume();
      return;
    }
    if (!this.#isPaused) stream.pause();
    this.#isPaused = true;
    if (needsDrain && !this.#awaitsDrain) {
      this.#awaitsDrain = true;
      stream.onDrain(() => {
        this.#awaitsDrain = false;
        this.#settleReading();
      });
    }
    if (pressure.isHigh && !this.#awaitsRelief) {
      this.#awaitsRelief = true;
      pressure.onRelief(() => {
        this.#awaitsRelief = false;
        this.#settleReading();
      });
    }
  }
}

/** `ModelStreamInferResponse` of a request that failed, with what is known of it. */
function errorAnswer(reader: InferReader | undefined, error: unknown): Buffer {
  const { message } = error instanceof GrpcError ? error : statusOf(error);
  const header = reader?.header;
  return frame(
    toBinary(
      ModelStreamInferResponseSchema,
      create(ModelStreamInferResponseSchema, {
        errorMessage: message,
        inferResponse: {
          modelName: header?.model ?? "",
          modelVersion: header?.version ?? "",
          id: header?.id ?? "",
          parameters: {
            triton_final_response: { parameterChoice: { case: "boolParam", value: true } },
          },
        },
      }),
    ),
  );
}
