import { performance } from "node:perf_hooks";
import { encodeHeaders, type Headers, type Http2Stream } from "../http2/index.ts";
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
const answerFields = [
  [":status", "200"],
  ["content-type", contentType],
  ["grpc-accept-encoding", acceptedEncodings],
] as const;
const answerHeaders = encodeHeaders(answerFields);
const okTrailers = encodeHeaders([["grpc-status", "0"]]);

/** The server's side of one gRPC call: an HTTP/2 stream with headers, messages and trailers. */
export class GrpcCall implements Client {
  readonly stream: Http2Stream;
  readonly headers: Headers;
  readonly encoding: Encoding;
  readonly maxMessageBytes: number;
  readonly deadlineMs: number | undefined;
  readonly isLocal: boolean;
  /** When bytes came last, on the sweep's clock. */
  lastTick = 0;
  /** Told when the stream is gone. */
  onClosed: (() => void) | undefined;
  #hasHeaders = false;
  #isEnded = false;

  /** @throws GrpcError for a header that is malformed */
  constructor(stream: Http2Stream, maxMessageBytes: number) {
    const { headers } = stream;
    this.stream = stream;
    this.headers = headers;
    this.maxMessageBytes = maxMessageBytes;
    this.isLocal = stream.isLocal;
    this.encoding = parseEncoding(headers["grpc-encoding"]);
    const timeout = headers["grpc-timeout"];
    this.deadlineMs = timeout === undefined ? undefined : performance.now() + parseTimeout(timeout);
  }

  get traceparent(): string | undefined {
    return this.headers["traceparent"];
  }

  /** Whether the status is decided: nothing more is sent, and what comes in is of no interest. */
  get isEnded(): boolean {
    return this.#isEnded || this.stream.isClosed;
  }

  /**
   * Sends pieces of framed messages.
   * @param sent called once, when nobody needs their memory any more
   */
  send(pieces: readonly Uint8Array[], sent?: () => void): void {
    if (this.isEnded) {
      sent?.();
      return;
    }
    this.#sendHeaders();
    this.stream.write(pieces, sent);
  }

  /** Sends the last pieces and the status OK. */
  finish(pieces: readonly Uint8Array[] = [], sent?: () => void): void {
    if (this.isEnded) {
      sent?.();
      return;
    }
    this.send(pieces, sent);
    this.#isEnded = true;
    this.stream.finish(okTrailers);
  }

  /** Ends the call with the status of an error: trailers only, if nothing has been sent. */
  fail(error: unknown): void {
    const { code, message } = statusOf(error);
    this.failWith(this.#isLate(code) ? grpcStatus.DEADLINE_EXCEEDED : code, message);
  }

  failWith(code: GrpcStatus, message: string): void {
    if (this.isEnded) return;
    this.#isEnded = true;
    if (this.#hasHeaders) this.stream.finish(encodeHeaders(statusFields(code, message)));
    else refuse(this.stream, code, message);
  }

  /** Dropped in the queue because the client's own time was over. */
  #isLate(code: GrpcStatus): boolean {
    const isDropped = code === grpcStatus.UNAVAILABLE || code === grpcStatus.CANCELLED;
    return isDropped && this.deadlineMs !== undefined && performance.now() >= this.deadlineMs;
  }

  #sendHeaders(): void {
    if (this.#hasHeaders) return;
    this.#hasHeaders = true;
    this.stream.respond(answerHeaders);
  }
}

/** Answers a stream with a status alone. */
export function refuse(stream: Http2Stream, code: GrpcStatus, message: string): void {
  stream.respond(encodeHeaders([...answerFields, ...statusFields(code, message)]), true);
}

function statusFields(code: GrpcStatus, message: string): readonly (readonly [string, string])[] {
  return [
    ["grpc-status", String(code)],
    ["grpc-message", encodeMessage(message)],
  ];
}

/** Whether a request's headers are those of a gRPC call. */
export function isGrpc(headers: Headers): boolean {
  const type = headers["content-type"];
  return (
    headers[":method"] === "POST" &&
    type !== undefined &&
    type.startsWith(contentType) &&
    (type.length === contentType.length || "+;".includes(type[contentType.length]))
  );
}
