import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { performance } from "node:perf_hooks";
import type { Client } from "../wire/client.ts";
import { acceptedEncodings, type Encoding, parseEncoding } from "./compression.ts";
import type { MessageSink } from "./framing.ts";
import { encodeMessage, type GrpcStatus, grpcStatus, statusOf } from "./status.ts";
import { parseTimeout } from "./timeout.ts";

/** What serves one call: the messages go in, and it is told how the stream ends. */
export interface CallHandler extends MessageSink {
  /** The client sends no more. */
  inputEnded(): void;
  /** The stream is gone: answered, cancelled, or broken off. */
  closed(): void;
}

const contentType = "application/grpc";
const okTrailers = { "grpc-status": "0" };
const waitForTrailers = { waitForTrailers: true };

/** The server's side of one gRPC call: an HTTP/2 stream with headers, messages and trailers. */
export class GrpcCall implements Client {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly encoding: Encoding;
  readonly maxMessageBytes: number;
  readonly deadlineMs: number | undefined;
  readonly isLocal: boolean;
  /** When bytes came last, on the sweep's clock. */
  lastTick = 0;
  #trailers: Record<string, string> = okTrailers;
  #hasHeaders = false;
  #isEnded = false;

  /** @throws GrpcError for a header that is malformed */
  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    maxMessageBytes: number,
    isLocal: boolean,
  ) {
    this.stream = stream;
    this.headers = headers;
    this.maxMessageBytes = maxMessageBytes;
    this.isLocal = isLocal;
    this.encoding = parseEncoding(headers["grpc-encoding"] as string | undefined);
    const timeout = headers["grpc-timeout"] as string | undefined;
    this.deadlineMs = timeout === undefined ? undefined : performance.now() + parseTimeout(timeout);
  }

  get traceparent(): string | undefined {
    return this.headers["traceparent"] as string | undefined;
  }

  /** Whether the status is decided: nothing more is sent, and what comes in is of no interest. */
  get isEnded(): boolean {
    return this.#isEnded || this.stream.destroyed;
  }

  /** Sends pieces of framed messages. False: wait for `drain` of the stream before the next. */
  send(...pieces: readonly Uint8Array[]): boolean {
    if (this.isEnded) return true;
    this.#sendHeaders();
    let canTakeMore = true;
    for (const piece of pieces) canTakeMore = this.stream.write(piece);
    return canTakeMore;
  }

  /** Sends the last pieces and the status OK. */
  finish(...pieces: readonly Uint8Array[]): void {
    if (this.isEnded) return;
    this.#isEnded = true;
    this.#sendHeaders();
    const last = pieces.length - 1;
    if (last > 0) this.stream.cork();
    for (let at = 0; at < last; at++) this.stream.write(pieces[at]);
    if (last >= 0) this.stream.end(pieces[last]);
    else this.stream.end();
    if (last > 0) this.stream.uncork();
  }

  /** Ends the call with the status of an error: trailers only, if nothing has been sent. */
  fail(error: unknown): void {
    const { code, message } = statusOf(error);
    this.failWith(this.#isLate(code) ? grpcStatus.DEADLINE_EXCEEDED : code, message);
  }

  failWith(code: GrpcStatus, message: string): void {
    if (this.isEnded) return;
    this.#isEnded = true;
    const status = { "grpc-status": String(code), "grpc-message": encodeMessage(message) };
    if (this.#hasHeaders) {
      this.#trailers = status;
      this.stream.end();
    } else {
      refuse(this.stream, status);
    }
  }

  /** Dropped in the queue because the client's own time was over. */
  #isLate(code: GrpcStatus): boolean {
    const isDropped = code === grpcStatus.UNAVAILABLE || code === grpcStatus.CANCELLED;
    return isDropped && this.deadlineMs !== undefined && performance.now() >= this.deadlineMs;
  }

  #sendHeaders(): void {
    if (this.#hasHeaders) return;
    this.#hasHeaders = true;
    const { stream } = this;
    stream.once("wantTrailers", () => stream.sendTrailers(this.#trailers));
    stream.respond(
      { ":status": 200, "content-type": contentType, "grpc-accept-encoding": acceptedEncodings },
      waitForTrailers,
    );
  }
}

/** Answers a stream with a status alone. */
export function refuse(stream: ServerHttp2Stream, status: Readonly<Record<string, string>>): void {
  if (stream.destroyed) return;
  stream.respond(
    {
      ":status": 200,
      "content-type": contentType,
      "grpc-accept-encoding": acceptedEncodings,
      ...status,
    },
    { endStream: true },
  );
}

/** Whether a request's headers are those of a gRPC call. */
export function isGrpc(headers: IncomingHttpHeaders): boolean {
  const type = headers["content-type"];
  return (
    headers[":method"] === "POST" &&
    type !== undefined &&
    type.startsWith(contentType) &&
    (type.length === contentType.length || "+;".includes(type[contentType.length]))
  );
}
