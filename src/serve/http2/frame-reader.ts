import { GatheredBytes } from "../wire/gathered-bytes.ts";
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
  /** The beginning of a frame of which more has to come, and at how many bytes it is looked at again. */
  readonly #begun = new GatheredBytes();
  #needed = 0;
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
    while (at < chunk.length) {
      if (this.#dataBytes >= 0) at = this.#readData(chunk, at);
      else if (this.#begun.length > 0) at = this.#complete(chunk, at);
      else {
        const needed = this.#bytesNeeded(chunk, at);
        if (needed > chunk.length - at) {
          this.#needed = needed;
          this.#begun.push(chunk.subarray(at));
          return;
        }
        at = this.#readFrame(chunk, at);
      }
    }
  }

  /** Adds to the frame that has begun, and reads it if that is all of it. */
  #complete(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + this.#needed - this.#begun.length);
    this.#begun.push(chunk.subarray(from, end));
    if (this.#begun.length < this.#needed) return end;
    const begun = this.#begun.take();
    this.#needed = this.#bytesNeeded(begun, 0);
    if (this.#needed > begun.length) this.#begun.push(begun);
    else this.#readFrame(begun, 0);
    return end;
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

  /** How much of the frame at `at` must be there to read it, as far as that can be said. */
  #bytesNeeded(bytes: Buffer, at: number): number {
    if (bytes.length - at < headBytes) return headBytes;
    const length = lengthAt(bytes, at);
    if (length > this.#maxFrameBytes) {
      throw new ConnectionError(errorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
    }
    if (bytes[at + 3] !== frameType.DATA) return headBytes + length;
    if ((bytes[at + 4] & flag.PADDED) === 0) return headBytes;
    if (length === 0) throw tooShort();
    return headBytes + 1;
  }

  /** Gives the place behind it; for DATA, behind its head. */
  #readFrame(bytes: Buffer, at: number): number {
    const length = lengthAt(bytes, at);
    const [type, flags] = [bytes[at + 3], bytes[at + 4]];
    const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    const start = at + headBytes;
    if (type !== frameType.DATA) {
      this.#sink.frame(type, flags, streamId, bytes.subarray(start, start + length));
      return start + length;
    }
    const isPadded = (flags & flag.PADDED) !== 0;
    const padding = isPadded ? bytes[start] : 0;
    const prefix = isPadded ? 1 : 0;
    if (padding + prefix > length) throw longPadding();
    this.#sink.dataBegan(flags, streamId, length);
    this.#dataBytes = length - prefix - padding;
    this.#paddingLeft = padding;
    this.#paddingBytes = padding + prefix;
    if (this.#dataBytes + padding === 0) this.#endData();
    return start + prefix;
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

/** Of a payload; the first field of a frame. */
const lengthAt = (bytes: Buffer, at: number): number =>
  (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];

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
