import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { expect } from "vitest";
import { Connection } from "../../../src/serve/http2/connection.ts";
import type { Field } from "../../../src/serve/http2/hpack-decoder.ts";
import { encodeHeaders } from "../../../src/serve/http2/hpack-encoder.ts";
import { errorCode, flag, frameType, preface } from "../../../src/serve/http2/protocol.ts";
import type { Http2Stream, StreamHandler } from "../../../src/serve/http2/stream.ts";

/** A frame, as a client would send it. */
export function rawFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const request: readonly Field[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "x"],
];

/** Headers of a request, with others in the place of some, or behind them. */
export const requestBlock = (...more: readonly Field[]): Buffer => {
  const isOther = ([name]: Field) => name.startsWith(":");
  const pseudo = new Map([...request, ...more.filter(isOther)]);
  return encodeHeaders([...pseudo, ...more.filter((field) => !isOther(field))]);
};

export const client = {
  preface,
  settings: (...values: readonly (readonly [id: number, value: number])[]): Buffer => {
    const payload = Buffer.alloc(6 * values.length);
    for (const [at, [id, value]] of values.entries()) {
      payload.writeUInt16BE(id, 6 * at);
      payload.writeUInt32BE(value, 6 * at + 2);
    }
    return rawFrame(frameType.SETTINGS, 0, 0, payload);
  },
  headers: (streamId: number, block: Uint8Array = requestBlock(), ends = false): Buffer =>
    rawFrame(frameType.HEADERS, flag.END_HEADERS | (ends ? flag.END_STREAM : 0), streamId, block),
  data: (streamId: number, bytes: Uint8Array, ends = false): Buffer =>
    rawFrame(frameType.DATA, ends ? flag.END_STREAM : 0, streamId, bytes),
  paddedData: (streamId: number, bytes: Uint8Array, padding: number, ends = false): Buffer =>
    rawFrame(
      frameType.DATA,
      flag.PADDED | (ends ? flag.END_STREAM : 0),
      streamId,
      Buffer.concat([Buffer.from([padding]), bytes, Buffer.alloc(padding)]),
    ),
  reset: (streamId: number, code: number = errorCode.CANCEL): Buffer =>
    rawFrame(frameType.RST_STREAM, 0, streamId, word(code)),
  window: (streamId: number, bytes: number): Buffer =>
    rawFrame(frameType.WINDOW_UPDATE, 0, streamId, word(bytes)),
  ping: (text = "12345678"): Buffer => rawFrame(frameType.PING, 0, 0, Buffer.from(text)),
};

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** What a server has said. */
export function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    frames.push({
      type: bytes[at + 3],
      flags: bytes[at + 4],
      streamId: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return frames;
}

/** A socket whose client may stop to take bytes. */
export class FakeSocket extends Duplex {
  readonly remoteAddress = "127.0.0.1";
  /** While true nothing is taken. */
  isStalled = false;
  readonly taken: Buffer[] = [];
  takenBytes = 0;
  #go: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true });
  }

  get bytesWritten(): number {
    return this.takenBytes + this.writableLength;
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const take = (): void => {
      this.#go = undefined;
      // As they are now, which shows whether somebody has changed them meanwhile.
      this.taken.push(Buffer.from(bytes));
      this.takenBytes += bytes.length;
      done();
    };
    if (this.isStalled) this.#go = take;
    else take();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const go = this.#go;
    this.#go = undefined;
    // A write that is under way is given up.
    if (go !== undefined) go();
    done(error);
  }

  /** The client takes bytes again. */
  release(): void {
    this.isStalled = false;
    this.#go?.();
  }
}

/** What came of one request. */
export class Received implements StreamHandler {
  readonly stream: Http2Stream;
  readonly pieces: Buffer[] = [];
  isEnded = false;
  closedCount = 0;
  onData: ((bytes: Buffer) => void) | undefined;
  onEnd: (() => void) | undefined;

  constructor(stream: Http2Stream) {
    this.stream = stream;
  }

  get body(): Buffer {
    return Buffer.concat(this.pieces);
  }

  data(bytes: Buffer): void {
    this.pieces.push(Buffer.from(bytes));
    this.onData?.(bytes);
  }

  inputEnded(): void {
    this.isEnded = true;
    this.onEnd?.();
  }

  closed(): void {
    this.closedCount++;
  }
}

/** One connection on a socket of this process. */
export class Peer {
  readonly socket = new FakeSocket();
  readonly connection: Connection;
  readonly received: Received[] = [];
  /** Called for each request before its body. */
  onRequest: ((received: Received) => void) | undefined;
  #framesSeen = 0;

  constructor() {
    this.connection = new Connection(this.socket as unknown as Socket, {
      onStream: (stream) => {
        const received = new Received(stream);
        this.received.push(received);
        if (this.onRequest === undefined) stream.open(received);
        else this.onRequest(received);
      },
    });
  }

  /** A connection on which the preface has been said. */
  static begun(...settings: readonly (readonly [id: number, value: number])[]): Peer {
    const peer = new Peer();
    peer.send(preface, client.settings(...settings));
    return peer;
  }

  /** The bytes are overwritten behind the call, as those of the shared read buffer are. */
  send(...pieces: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(pieces);
    this.connection.push(bytes);
    bytes.fill(0xa5);
  }

  /** All that the server has said. */
  async frames(): Promise<Frame[]> {
    await turns(3);
    return readFrames(Buffer.concat(this.socket.taken));
  }

  /** What it has said since the last call. */
  async news(): Promise<Frame[]> {
    const frames = await this.frames();
    const news = frames.slice(this.#framesSeen);
    this.#framesSeen = frames.length;
    return news;
  }

  /** The code of GOAWAY; undefined while the connection lives. */
  async goAway(): Promise<number | undefined> {
    const frames = await this.frames();
    return frames.findLast(({ type }) => type === frameType.GOAWAY)?.payload.readUInt32BE(4);
  }

  /** The codes with which streams were reset. */
  async resets(): Promise<Map<number, number>> {
    const frames = (await this.frames()).filter(({ type }) => type === frameType.RST_STREAM);
    return new Map(frames.map(({ streamId, payload }) => [streamId, payload.readUInt32BE(0)]));
  }

  /** Bytes of an answer. */
  async answer(streamId: number): Promise<Buffer> {
    const frames = await this.frames();
    return Buffer.concat(
      frames
        .filter((frame) => frame.type === frameType.DATA && frame.streamId === streamId)
        .map(({ payload }) => payload),
    );
  }
}

/** `expect.poll` with time enough for a machine that is busy. */
export const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000, interval: 5 });

/** Turns of the event loop, in which what is on its way within this process comes on. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
