import { GrpcError, grpcStatus } from "./status.ts";

/** Bytes before each message: a flag for compression, and the length as a big-endian 32-bit integer. */
export const prefixBytes = 5;

/** What a `MessageReader` tells. */
export interface MessageSink {
  /** A message of so many bytes begins. @throws GrpcError, for the call */
  start(byteLength: number, isCompressed: boolean): void;
  /** Its next bytes, a view for the time of the call; never empty. */
  data(bytes: Buffer): void;
  /** It is complete. */
  end(): void;
}

/**
 * Cuts the bytes of an HTTP/2 stream into gRPC messages. The bytes come in any pieces; a prefix may be
 * split, and a piece may hold many messages. No byte of a message is copied.
 */
export class MessageReader {
  readonly #sink: MessageSink;
  readonly #maxBytes: number;
  readonly #prefix = new Uint8Array(prefixBytes);
  #prefixFilled = 0;
  /** Of the message that is being read; -1 between messages. */
  #remaining = -1;

  constructor(sink: MessageSink, maxBytes: number) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
  }

  /** Whether the bytes so far end where a message ends. */
  get isBetweenMessages(): boolean {
    return this.#remaining === -1 && this.#prefixFilled === 0;
  }

  /** @throws GrpcError for a malformed prefix or a message that is too large; and what the sink throws */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#remaining === -1) {
        at = this.#readPrefix(chunk, at);
        continue;
      }
      const take = Math.min(this.#remaining, chunk.length - at);
      this.#sink.data(at === 0 && take === chunk.length ? chunk : chunk.subarray(at, at + take));
      at += take;
      this.#remaining -= take;
      if (this.#remaining === 0) this.#finish();
    }
  }

  #readPrefix(chunk: Buffer, from: number): number {
    let at = from;
    while (this.#prefixFilled < prefixBytes && at < chunk.length) {
      this.#prefix[this.#prefixFilled++] = chunk[at++];
    }
    if (this.#prefixFilled < prefixBytes) return at;
    this.#prefixFilled = 0;
    const [flag, b3, b2, b1, b0] = this.#prefix;
    if (flag > 1) {
      throw new GrpcError(grpcStatus.INTERNAL, `a message begins with the unknown flags ${flag}`);
    }
    const byteLength = ((b3 << 24) | (b2 << 16) | (b1 << 8) | b0) >>> 0;
    if (byteLength > this.#maxBytes) {
      throw new GrpcError(
        grpcStatus.RESOURCE_EXHAUSTED,
        `a message of ${byteLength} bytes is larger than the limit of ${this.#maxBytes} bytes`,
      );
    }
    this.#sink.start(byteLength, flag === 1);
    this.#remaining = byteLength;
    if (byteLength === 0) this.#finish();
    return at;
  }

  #finish(): void {
    this.#remaining = -1;
    this.#sink.end();
  }
}

/** A message with its prefix, uncompressed. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  writePrefix(framed, message.length);
  framed.set(message, prefixBytes);
  return framed;
}

/** Writes the prefix of an uncompressed message at the start of `into`. */
export function writePrefix(into: Uint8Array, byteLength: number): void {
  into[0] = 0;
  into[1] = byteLength >>> 24;
  into[2] = byteLength >>> 16;
  into[3] = byteLength >>> 8;
  into[4] = byteLength;
}
