import { headBytes } from "./frame-writer.ts";
import { ConnectionError, errorCode, flag, frameType, preface } from "./protocol.ts";

/** What a `FrameReader` tells. All views are good for the time of the call only. */
export interface FrameSink {
  /** A whole frame of any other type than DATA. */
  frame(type: number, flags: number, streamId: number, payload: Buffer): void;
  /** A DATA frame begins. `length` counts against windows: with padding and its length. */
  dataBegan(flags: number, streamId: number, length: number): void;
  /** Its next bytes, without padding; never empty. */
  data(bytes: Buffer): void;
  /** It is complete; so many bytes of `length` were no data. */
  dataEnded(paddingBytes: number): void;
}

/** Cuts a connection's bytes, which come in any pieces, into frames. The bytes of DATA are not copied. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  /** Of the client's preface. */
  #prefaceRead = 0;
  /** The beginning of a frame of which more has to come. */
  #carry: Buffer | undefined;
  /** Of a DATA frame: its bytes to come, and its padding behind them, -1 while unknown. */
  #dataBytes = -1;
  #paddingBytes = 0;
  #paddingLeft = 0;

  constructor(sink: FrameSink, maxFrameBytes: number) {
    this.#sink = sink;
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** @throws ConnectionError */
  push(chunk: Buffer): void {
    let at = this.#prefaceRead < preface.length ? this.#readPreface(chunk) : 0;
    let bytes = chunk;
    if (this.#carry !== undefined) {
      bytes = Buffer.concat([this.#carry, at === 0 ? chunk : chunk.subarray(at)]);
      this.#carry = undefined;
      at = 0;
    }
    while (at < bytes.length) {
      if (this.#dataBytes >= 0) {
        at = this.#readData(bytes, at);
        continue;
      }
      const next = this.#readFrame(bytes, at);
      if (next === at) {
        // A copy: the memory behind the view is read into again.
        this.#carry = Buffer.from(bytes.subarray(at));
        return;
      }
      at = next;
    }
  }

  #readPreface(chunk: Buffer): number {
    const take = Math.min(preface.length - this.#prefaceRead, chunk.length);
    const end = this.#prefaceRead + take;
    if (preface.compare(chunk, 0, take, this.#prefaceRead, end) !== 0) {
      throw new ConnectionError(errorCode.PROTOCOL_ERROR, "the client does not speak HTTP/2");
    }
    this.#prefaceRead = end;
    return take;
  }

  /** Gives `at` where too little is there. */
  #readFrame(bytes: Buffer, at: number): number {
    if (bytes.length - at < headBytes) return at;
    const length = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
    if (length > this.#maxFrameBytes) {
      throw new ConnectionError(errorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
    }
    const [type, flags] = [bytes[at + 3], bytes[at + 4]];
    const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    const start = at + headBytes;
    if (type === frameType.DATA) {
      const isPadded = (flags & flag.PADDED) !== 0;
      if (isPadded) {
        if (length === 0) throw tooShort();
        if (start === bytes.length) return at;
      }
      this.#sink.dataBegan(flags, streamId, length);
      const padding = isPadded ? bytes[start] : 0;
      const prefix = isPadded ? 1 : 0;
      if (padding + prefix > length) throw longPadding();
      this.#dataBytes = length - prefix - padding;
      this.#paddingLeft = padding;
      this.#paddingBytes = padding + prefix;
      if (this.#dataBytes + padding === 0) this.#endData();
      return start + prefix;
    }
    if (bytes.length - start < length) return at;
    this.#sink.frame(type, flags, streamId, bytes.subarray(start, start + length));
    return start + length;
  }

  #readData(bytes: Buffer, from: number): number {
    let at = from;
    const take = Math.min(this.#dataBytes, bytes.length - at);
    if (take > 0) {
      this.#dataBytes -= take;
      this.#sink.data(bytes.subarray(at, at + take));
      at += take;
    }
    if (this.#dataBytes === 0) {
      const skip = Math.min(this.#paddingLeft, bytes.length - at);
      this.#paddingLeft -= skip;
      at += skip;
      if (this.#paddingLeft === 0) this.#endData();
    }
    return at;
  }

  #endData(): void {
    this.#dataBytes = -1;
    this.#sink.dataEnded(this.#paddingBytes);
  }
}

/** The payload of a frame without its padding. @throws ConnectionError */
export function withoutPadding(flags: number, payload: Buffer): Buffer {
  if ((flags & flag.PADDED) === 0) return payload;
  if (payload.length === 0) throw tooShort();
  const end = payload.length - payload[0];
  if (end < 1) throw longPadding();
  return payload.subarray(1, end);
}

const tooShort = () =>
  new ConnectionError(errorCode.FRAME_SIZE_ERROR, "a padded frame without its padding's length");
const longPadding = () =>
  new ConnectionError(errorCode.PROTOCOL_ERROR, "padding that is longer than its frame");
