import { frameOf, headBytes, writeFrameHead } from "./frame-writer.ts";
import { emptyTable } from "./hpack-encoder.ts";
import type { Output } from "./output.ts";
import {
  ConnectionError,
  defaultFrameBytes,
  defaultWindow,
  errorCode,
  flag,
  frameType,
  maxWindow,
} from "./protocol.ts";
import type { Http2Stream, StreamOutput } from "./stream.ts";

/** Of DATA; smaller than what clients allow, so that streams of one connection take turns. */
const maxDataBytes = 64 * 1024;
/** Data up to this size is put into one buffer with its frame's head. */
const copyBytes = 4096;
/** Bytes on the line beyond which a stream should wait before it has more to say. */
const fullBytes = 1024 * 1024;
/** Bytes on the line beyond which data waits, so that streams take turns. */
const maxLineBytes = 4 * 1024 * 1024;

/** Answers of one connection: as frames, as far as the client's windows and the line allow. */
export class Sender implements StreamOutput {
  readonly #output: Output;
  /** What all streams together may send now, and one that begins. */
  #window = defaultWindow;
  #streamWindow = defaultWindow;
  #frameBytes = defaultFrameBytes;
  /** The next block of headers has to begin by saying that the table stays empty. */
  #saysEmptyTable = true;
  /** Streams with data that waits, the next to send first. */
  readonly #waiting = new Set<Http2Stream>();
  #isTakingTurns = false;
  #draining: (() => void)[] = [];

  constructor(output: Output) {
    this.#output = output;
  }

  get streamWindow(): number {
    return this.#streamWindow;
  }

  get isFull(): boolean {
    return this.#output.pendingBytes > fullBytes;
  }

  // What the client allows.

  setFrameBytes(bytes: number): void {
    this.#frameBytes = bytes;
  }

  tableChanged(): void {
    this.#saysEmptyTable = true;
  }

  /** Of streams that begin; those that are open change by as much. @throws ConnectionError */
  setStreamWindow(bytes: number, streams: Iterable<Http2Stream>): void {
    const change = bytes - this.#streamWindow;
    if (change === 0) return;
    this.#streamWindow = bytes;
    for (const stream of streams) {
      stream.sendWindow += change;
      if (stream.sendWindow > maxWindow) throw windowOverflow();
    }
  }

  /** @throws ConnectionError */
  grow(increment: number): void {
    this.#window += increment;
    if (this.#window > maxWindow) throw windowOverflow();
    this.sendMore();
  }

  // What streams ask for.

  sendHeaders(streamId: number, block: Buffer, isLast: boolean): void {
    const prefix = this.#saysEmptyTable ? emptyTable : undefined;
    this.#saysEmptyTable = false;
    const whole = prefix === undefined ? block : Buffer.concat([prefix, block]);
    const last = isLast ? flag.END_STREAM : 0;
    let at = 0;
    do {
      const piece = whole.subarray(at, at + this.#frameBytes);
      const type = at === 0 ? frameType.HEADERS : frameType.CONTINUATION;
      const isWhole = at + piece.length === whole.length;
      const flags = (isWhole ? flag.END_HEADERS : 0) | (at === 0 ? last : 0);
      this.#output.put(frameOf(type, flags, streamId, piece));
      at += piece.length;
    } while (at < whole.length);
  }

  sendData(stream: Http2Stream, bytes: Uint8Array, sent: (() => void) | undefined): number {
    if (bytes.length === 0) {
      if (sent !== undefined) this.#output.whenSent(sent);
      return 0;
    }
    const most = Math.min(maxDataBytes, this.#frameBytes);
    let at = 0;
    while (at < bytes.length) {
      const take = Math.min(bytes.length - at, most, stream.sendWindow, this.#window);
      const isTurnOver = at > 0 && this.#isTakingTurns;
      if (take <= 0 || isTurnOver || this.#output.pendingBytes > maxLineBytes) {
        this.#waiting.add(stream);
        break;
      }
      const isLast = at + take === bytes.length;
      this.#put(stream.id, bytes.subarray(at, at + take), isLast ? sent : undefined);
      stream.sendWindow -= take;
      this.#window -= take;
      at += take;
    }
    return at;
  }

  whenSent(callback: () => void): void {
    this.#output.whenSent(callback);
  }

  onDrain(callback: () => void): void {
    this.#draining.push(callback);
  }

  // What happens.

  /**
   * A window has opened, or the line has room. Streams with data that waits take turns of one frame, as long
   * as there is room.
   */
  sendMore(): void {
    this.#isTakingTurns = true;
    for (const stream of this.#waiting) {
      if (this.#window <= 0 || this.#output.pendingBytes > maxLineBytes) break;
      if (stream.sendWindow <= 0) continue;
      this.#waiting.delete(stream);
      // With something left it comes behind the others, and its turn comes again.
      stream.sendMore();
    }
    this.#isTakingTurns = false;
    this.#tellDrained();
  }

  forget(stream: Http2Stream): void {
    this.#waiting.delete(stream);
  }

  /** All streams are gone. */
  end(): void {
    this.#waiting.clear();
    this.#tellDrained();
  }

  /** Called each second: breaks off streams whose windows have not opened for `maxTicks`. */
  checkTime(maxTicks: number): void {
    // Where the line is full, it is the connection that is stuck.
    if (this.#output.pendingBytes > 0) return;
    for (const stream of this.#waiting) if (++stream.stalledTicks > maxTicks) stream.reset();
  }

  #put(id: number, bytes: Uint8Array, sent: (() => void) | undefined): void {
    const isSmall = bytes.length <= copyBytes;
    const head = Buffer.allocUnsafe(headBytes + (isSmall ? bytes.length : 0));
    const at = writeFrameHead(head, 0, bytes.length, frameType.DATA, 0, id);
    if (isSmall) {
      head.set(bytes, at);
      this.#output.put(head, sent);
    } else {
      this.#output.put(head);
      this.#output.put(bytes, sent);
    }
  }

  #tellDrained(): void {
    const waiting = this.#draining;
    this.#draining = [];
    for (const callback of waiting) callback();
  }
}

const windowOverflow = () =>
  new ConnectionError(errorCode.FLOW_CONTROL_ERROR, "a window of more than 2^31 - 1 bytes");
