import type { Socket } from "node:net";
import { isLoopback } from "../wire/client.ts";
import { Allowance } from "./allowance.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import {
  frameOf,
  goAwayFrame,
  resetFrame,
  settingsFrame,
  windowUpdateFrame,
} from "./frame-writer.ts";
import {
  type HeaderBlock,
  HeaderBlocks,
  headerTableBytes,
  maxHeaderBytes,
} from "./header-blocks.ts";
import type { Field } from "./hpack-decoder.ts";
import { encodeHeaders } from "./hpack-encoder.ts";
import { Output } from "./output.ts";
import {
  ConnectionError,
  defaultFrameBytes,
  defaultWindow,
  type ErrorCode,
  errorCode,
  flag,
  frameType,
  maxWindow,
  setting,
} from "./protocol.ts";
import { type Headers, trailersProblem } from "./request-headers.ts";
import { Sender } from "./sender.ts";
import { Http2Stream, type StreamOwner } from "./stream.ts";

const MiB = 1024 * 1024;

/** What a client may send before it hears from us: a round trip of 10 ms must not stop an image. */
const streamWindow = 16 * MiB;
const connectionWindow = 64 * MiB;
const maxStreams = 1000;
const maxFrameBytes = MiB;

const ourSettings = settingsFrame([
  [setting.HEADER_TABLE_SIZE, headerTableBytes],
  [setting.MAX_CONCURRENT_STREAMS, maxStreams],
  [setting.INITIAL_WINDOW_SIZE, streamWindow],
  [setting.MAX_FRAME_SIZE, maxFrameBytes],
  [setting.MAX_HEADER_LIST_SIZE, maxHeaderBytes],
]);

/** Bytes that a client leaves unread beyond which nothing more is read of it. */
const unreadBytes = 8 * MiB;
/** And beyond which it is ended: what had been read before made so much of it. */
const maxUnreadBytes = 32 * MiB;

/** On the clock of `checkTime`, in seconds. */
const prefaceTicks = 20;
const stalledTicks = 300;
const lingerTicks = 2;

/** Streams whose end is remembered, to tell a late frame from a wrong one. */
const rememberedEnds = 1024;
/** Acknowledgements that a client leaves unread. */
const maxAcks = 1000;

/** What a connection belongs to. */
export interface ConnectionOwner {
  /** A request has come; its body is still to come. */
  onStream(stream: Http2Stream): void;
}

/**
 * One HTTP/2 connection, the server's side.
 *
 * @see RFC 9113
 */
export class Connection implements FrameSink, StreamOwner {
  readonly isLocal: boolean;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #output: Output;
  readonly sender: Sender;
  readonly #reader: FrameReader;
  readonly #blocks = new HeaderBlocks();

  readonly #streams = new Map<number, Http2Stream>();
  #lastId = 0;
  /** How streams ended: true where we broke them off, so that what is on its way is passed over. */
  readonly #ends = new Map<number, boolean>();

  /** The stream of the DATA frame that is being read; undefined where nobody wants it. */
  #dataStream: Http2Stream | undefined;
  #dataLength = 0;
  #dataEndsStream = false;
  #receiveWindow = connectionWindow;
  /** Consumed, and not yet given back to the client's window. */
  #unreturned = 0;

  #hasSettings = false;
  /** The client leaves so much unread that nothing more of it is read. */
  #isUnread = false;

  readonly #resets = new Allowance(10_000, 1000);
  readonly #idleFrames = new Allowance(10_000, 1000);
  #unreadAcks = 0;

  #ticks = 0;
  /** Since when the client has taken nothing, and how much it had taken then. */
  #writtenAt = 0;
  #written = 0;
  #isEnding = false;
  /** The last stream that is served, once that is said. */
  #endId = maxWindow;
  /** When the socket is destroyed at the latest. */
  #expires = Number.POSITIVE_INFINITY;
  #isBroken = false;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.isLocal = isLoopback(socket.remoteAddress);
    this.#output = new Output(socket);
    this.sender = new Sender(this.#output);
    this.#reader = new FrameReader(this, maxFrameBytes);
    this.#output.put(ourSettings);
    this.#output.put(windowUpdateFrame(0, connectionWindow - defaultWindow));
    socket.on("drain", () => this.#onDrain());
    socket.on("error", () => {}); // Told by `close`.
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#closeStreams());
  }

  get pendingBytes(): number {
    return this.#output.pendingBytes;
  }

  /** Bytes from the socket; a view for the time of the call. */
  push(bytes: Buffer): void {
    if (this.#isBroken) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#fail(error);
    }
    // Until the client has read its answers.
    if (this.#output.pendingBytes <= unreadBytes || this.#isUnread) return;
    this.#isUnread = true;
    this.#socket.pause();
  }

  /** Called each second. */
  checkTime(): void {
    this.#ticks++;
    this.#resets.tick();
    this.#idleFrames.tick();
    const { bytesWritten, writableLength } = this.#socket;
    const taken = bytesWritten - writableLength;
    if (writableLength === 0 || taken !== this.#written) {
      this.#written = taken;
      this.#writtenAt = this.#ticks;
    }
    const isSilent = !this.#hasSettings && this.#ticks > prefaceTicks;
    const isStuck = this.#ticks - this.#writtenAt > stalledTicks;
    if (isSilent || isStuck || this.#ticks > this.#expires) {
      this.#socket.destroy();
      return;
    }
    this.sender.checkTime(stalledTicks);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Tells the client to open no more streams here; those that are on their way are served. */
  announceEnd(): void {
    if (!this.#isBroken) this.#output.put(goAwayFrame(maxWindow, errorCode.NO_ERROR));
  }

  /** Ends it as soon as the streams have ended. */
  endAfterStreams(): void {
    if (this.#isBroken || this.#isEnding) return;
    this.#isEnding = true;
    this.#endId = this.#lastId;
    this.#output.put(goAwayFrame(this.#endId, errorCode.NO_ERROR));
    this.#endIfIdle();
  }

  // What streams ask for.

  consumed(stream: Http2Stream, byteLength: number): void {
    this.#returnWindow(byteLength);
    if (stream.isInputEnded || stream.isClosed) return;
    stream.unreturned += byteLength;
    if (stream.unreturned < streamWindow / 2) return;
    stream.receiveWindow += stream.unreturned;
    this.#output.put(windowUpdateFrame(stream.id, stream.unreturned));
    stream.unreturned = 0;
  }

  ended(stream: Http2Stream, code: ErrorCode | undefined): void {
    if (code !== undefined) this.#output.put(resetFrame(stream.id, code));
    this.#forget(stream, code !== undefined);
  }

  // What comes.

  dataBegan(flags: number, streamId: number, length: number): void {
    this.#dataStream = undefined;
    if (this.#isBroken) return;
    this.#expectNoBlock();
    if (!this.#hasSettings) throw noSettings();
    if (streamId === 0) throw protocolError("DATA on stream 0");
    if (length > this.#receiveWindow) {
      throw new ConnectionError(errorCode.FLOW_CONTROL_ERROR, "more data than its window allows");
    }
    this.#receiveWindow -= length;
    this.#dataLength = length;
    this.#dataEndsStream = (flags & flag.END_STREAM) !== 0;
    const stream = this.#openStream(streamId);
    if (stream === undefined) return;
    if (stream.isInputEnded) this.#breakOff(streamId, errorCode.STREAM_CLOSED);
    else if (length > stream.receiveWindow) {
      this.#breakOff(streamId, errorCode.FLOW_CONTROL_ERROR);
    } else {
      stream.receiveWindow -= length;
      this.#dataStream = stream;
    }
  }

  data(bytes: Buffer): void {
    const stream = this.#dataStream;
    if (stream === undefined || stream.isClosed) {
      this.#returnWindow(bytes.length);
      return;
    }
    stream.bodyBytes += bytes.length;
    stream.received(bytes);
  }

  dataEnded(paddingBytes: number): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    const isIdle = paddingBytes === this.#dataLength && !this.#dataEndsStream;
    if (isIdle && !this.#isBroken) this.#countIdleFrame();
    if (stream === undefined || stream.isClosed) this.#returnWindow(paddingBytes);
    else {
      this.consumed(stream, paddingBytes);
      if (this.#dataEndsStream) this.#endInput(stream);
    }
  }

  frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (this.#isBroken) return;
    if (type !== frameType.CONTINUATION) this.#expectNoBlock();
    if (!this.#hasSettings && type !== frameType.SETTINGS) throw noSettings();
    const handle = this.#handlers[type];
    // Extensions may be passed over.
    if (handle === undefined) this.#countIdleFrame();
    else handle.call(this, flags, streamId, payload);
  }

  /** By types of frames. */
  readonly #handlers: Readonly<
    Record<number, (flags: number, streamId: number, payload: Buffer) => void>
  > = {
    [frameType.HEADERS]: this.#onHeaders,
    [frameType.CONTINUATION]: this.#onContinuation,
    [frameType.PRIORITY]: this.#onPriority,
    [frameType.RST_STREAM]: this.#onReset,
    [frameType.SETTINGS]: this.#onSettings,
    [frameType.PUSH_PROMISE]: () => {
      throw protocolError("PUSH_PROMISE of a client");
    },
    [frameType.PING]: this.#onPing,
    [frameType.GOAWAY]: this.#onGoAway,
    [frameType.WINDOW_UPDATE]: this.#onWindowUpdate,
  };

  #onHeaders(flags: number, streamId: number, payload: Buffer): void {
    if (streamId === 0) throw protocolError("HEADERS on stream 0");
    const block = this.#blocks.begin(flags, streamId, payload);
    if (block !== undefined) this.#onBlock(block);
  }

  #onContinuation(flags: number, streamId: number, payload: Buffer): void {
    const block = this.#blocks.goOn(flags, streamId, payload);
    if (block !== undefined) this.#onBlock(block);
  }

  #onBlock({ streamId, endsStream, dependsOnItself, bytes }: HeaderBlock): void {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#onTrailers(stream, this.#blocks.fields(bytes), endsStream);
    else if (streamId > this.#lastId && streamId % 2 === 1) {
      // Read also where it is refused: it may change the table.
      const headers = this.#blocks.request(bytes);
      this.#lastId = streamId;
      if (typeof headers === "string" || dependsOnItself) {
        this.#refuse(streamId, errorCode.PROTOCOL_ERROR);
      } else this.#onRequest(streamId, headers, endsStream);
    } else {
      this.#blocks.fields(bytes);
      this.#onLateHeaders(streamId);
    }
  }

  /** @param headers undefined if they are too long */
  #onRequest(streamId: number, headers: Headers | undefined, endsStream: boolean): void {
    if (this.#output.pendingBytes > maxUnreadBytes) throw calm("answers that nobody reads");
    if (this.#streams.size >= maxStreams || this.#isEnding) {
      this.#refuse(streamId, errorCode.REFUSED_STREAM);
      return;
    }
    const window = this.sender.streamWindow;
    const stream = new Http2Stream(this, streamId, headers ?? {}, streamWindow, window);
    this.#streams.set(streamId, stream);
    if (headers === undefined) stream.respond(tooManyHeaders, true);
    else this.#owner.onStream(stream);
    if (endsStream && !stream.isClosed) this.#endInput(stream);
  }

  #onTrailers(
    stream: Http2Stream,
    fields: readonly Field[] | undefined,
    endsStream: boolean,
  ): void {
    if (stream.isInputEnded) this.#breakOff(stream.id, errorCode.STREAM_CLOSED);
    else if (!endsStream || fields === undefined || trailersProblem(fields) !== undefined) {
      this.#breakOff(stream.id, errorCode.PROTOCOL_ERROR);
    } else this.#endInput(stream);
  }

  /** Headers on a stream that is not there. */
  #onLateHeaders(streamId: number): void {
    const wasBrokenOff = this.#ends.get(streamId);
    if (wasBrokenOff === true) return;
    if (wasBrokenOff === false) {
      throw new ConnectionError(errorCode.STREAM_CLOSED, "HEADERS on a stream that has ended");
    }
    throw protocolError(`HEADERS on stream ${streamId}`);
  }

  #onPriority(_flags: number, streamId: number, payload: Buffer): void {
    if (streamId === 0) throw protocolError("PRIORITY on stream 0");
    this.#countIdleFrame();
    const isLong = payload.length !== 5;
    if (!isLong && (payload.readUInt32BE(0) & 0x7fffffff) !== streamId) return;
    const code = isLong ? errorCode.FRAME_SIZE_ERROR : errorCode.PROTOCOL_ERROR;
    this.#breakOff(streamId, code);
  }

  #onReset(_flags: number, streamId: number, payload: Buffer): void {
    if (streamId === 0) throw protocolError("RST_STREAM on stream 0");
    if (payload.length !== 4) throw frameSize("RST_STREAM");
    if (!this.#resets.take()) throw calm("streams that are opened and reset");
    const stream = this.#openStream(streamId, true);
    if (stream !== undefined) this.#forget(stream, false);
  }

  #onSettings(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw protocolError("SETTINGS on a stream");
    const isAck = (flags & flag.ACK) !== 0;
    if (isAck ? payload.length > 0 : payload.length % 6 !== 0) throw frameSize("SETTINGS");
    this.#countIdleFrame();
    if (isAck) {
      if (!this.#hasSettings) throw noSettings();
      return;
    }
    this.#hasSettings = true;
    let window: number | undefined;
    for (let at = 0; at < payload.length; at += 6) {
      const id = payload.readUInt16BE(at);
      const value = payload.readUInt32BE(at + 2);
      this.#set(id, value);
      if (id === setting.INITIAL_WINDOW_SIZE) window = value;
    }
    // Only the last one counts, and it costs as much as there are streams.
    if (window !== undefined) this.sender.setStreamWindow(window, this.#streams.values());
    this.#acknowledge(frameOf(frameType.SETTINGS, flag.ACK, 0, Buffer.alloc(0)));
    this.sender.sendMore();
  }

  #set(id: number, value: number): void {
    if (id === setting.HEADER_TABLE_SIZE) this.sender.tableChanged();
    else if (id === setting.ENABLE_PUSH && value > 1) throw protocolError("ENABLE_PUSH");
    else if (id === setting.INITIAL_WINDOW_SIZE && value > maxWindow) {
      throw new ConnectionError(errorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE");
    } else if (id === setting.MAX_FRAME_SIZE) {
      if (value < defaultFrameBytes || value > 2 ** 24 - 1) throw protocolError("MAX_FRAME_SIZE");
      this.sender.setFrameBytes(value);
    }
  }

  #onPing(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw protocolError("PING on a stream");
    if (payload.length !== 8) throw frameSize("PING");
    this.#countIdleFrame();
    if ((flags & flag.ACK) === 0) {
      this.#acknowledge(frameOf(frameType.PING, flag.ACK, 0, payload));
    }
  }

  #onGoAway(_flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw protocolError("GOAWAY on a stream");
    if (payload.length < 8) throw frameSize("GOAWAY");
  }

  #onWindowUpdate(_flags: number, streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw frameSize("WINDOW_UPDATE");
    const increment = payload.readUInt32BE(0) & 0x7fffffff;
    if (streamId === 0) {
      if (increment === 0) throw protocolError("a window that grows by 0");
      this.sender.grow(increment);
      return;
    }
    const stream = this.#openStream(streamId, true);
    if (stream === undefined) return;
    if (increment === 0) {
      this.#breakOff(streamId, errorCode.PROTOCOL_ERROR);
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > maxWindow) this.#breakOff(streamId, errorCode.FLOW_CONTROL_ERROR);
    else if (stream.isBlocked) this.sender.sendMore();
  }

  /**
   * The stream of a frame, or undefined if it has ended.
   * @param isHarmless such a frame may cross the end of its stream on the line
   */
  #openStream(streamId: number, isHarmless = false): Http2Stream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return stream;
    if (streamId > this.#lastId || streamId % 2 === 0) {
      throw protocolError(`a frame on stream ${streamId}, which is not open`);
    }
    if (!isHarmless && this.#ends.get(streamId) !== true) {
      this.#refuse(streamId, errorCode.STREAM_CLOSED);
    }
    return undefined;
  }

  #endInput(stream: Http2Stream): void {
    const { contentLength } = stream;
    if (contentLength !== undefined && contentLength !== stream.bodyBytes) {
      this.#breakOff(stream.id, errorCode.PROTOCOL_ERROR);
    } else stream.inputEnded();
  }

  /** Ends what the client has broken a rule with. Such streams cost as much as those that it resets itself. */
  #breakOff(streamId: number, code: ErrorCode): void {
    if (!this.#resets.take()) throw calm("streams that have to be broken off");
    const stream = this.#streams.get(streamId);
    if (stream === undefined) this.#output.put(resetFrame(streamId, code));
    else stream.reset(code);
  }

  /** Refuses a stream that is not there. */
  #refuse(streamId: number, code: ErrorCode): void {
    this.#breakOff(streamId, code);
    this.#remember(streamId, true);
  }

  #forget(stream: Http2Stream, isBrokenOff: boolean): void {
    if (!this.#streams.delete(stream.id)) return;
    this.sender.forget(stream);
    this.#remember(stream.id, isBrokenOff);
    stream.close();
    this.#endIfIdle();
  }

  #remember(streamId: number, isBrokenOff: boolean): void {
    this.#ends.set(streamId, isBrokenOff);
    if (this.#ends.size <= rememberedEnds) return;
    for (const oldest of this.#ends.keys()) {
      this.#ends.delete(oldest);
      break;
    }
  }

  #returnWindow(byteLength: number): void {
    this.#unreturned += byteLength;
    if (this.#unreturned < connectionWindow / 4) return;
    this.#receiveWindow += this.#unreturned;
    this.#output.put(windowUpdateFrame(0, this.#unreturned));
    this.#unreturned = 0;
  }

  /** The client has taken all. */
  #onDrain(): void {
    this.sender.sendMore();
    if (!this.#isUnread) return;
    this.#isUnread = false;
    this.#socket.resume();
  }

  #acknowledge(frame: Buffer): void {
    if (++this.#unreadAcks > maxAcks) throw calm("acknowledgements that nobody reads");
    this.#output.put(frame, () => {
      this.#unreadAcks--;
    });
  }

  #countIdleFrame(): void {
    if (!this.#idleFrames.take()) throw calm("frames that say nothing");
  }

  #expectNoBlock(): void {
    if (this.#blocks.isOpen) throw protocolError("a frame inside a block of headers");
  }

  #endIfIdle(): void {
    if (!this.#isEnding || this.#isBroken || this.#streams.size > 0) return;
    this.#finish();
  }

  #fail({ code, message }: ConnectionError): void {
    const lastId = Math.min(this.#lastId, this.#endId);
    this.#closeStreams();
    this.#output.put(goAwayFrame(lastId, code, message));
    this.#finish();
  }

  /** Says what is to be said, and closes when the client has, or a little later. */
  #finish(): void {
    this.#isBroken = true;
    this.#output.end();
    this.#expires = this.#ticks + lingerTicks;
  }

  #closeStreams(): void {
    this.#isBroken = true;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.close();
    this.sender.end();
  }
}

const tooManyHeaders = encodeHeaders([[":status", "431"]]);

const protocolError = (message: string) => new ConnectionError(errorCode.PROTOCOL_ERROR, message);
const frameSize = (what: string) =>
  new ConnectionError(errorCode.FRAME_SIZE_ERROR, `a frame ${what} of a wrong length`);
const noSettings = () => protocolError("the first frame is not SETTINGS");
const calm = (what: string) => new ConnectionError(errorCode.ENHANCE_YOUR_CALM, `too many ${what}`);
