import { GatheredBytes } from "../wire/gathered-bytes.ts";
import { type ErrorCode, errorCode } from "./protocol.ts";
import type { Headers } from "./request-headers.ts";

/** What serves a stream. */
export interface StreamHandler {
  /** Bytes of the request; a view for the time of the call. */
  data(bytes: Buffer): void;
  /** The client sends no more. */
  inputEnded(): void;
  /** The stream is gone: answered, cancelled, or broken off. Called once. */
  closed(): void;
}

/** Where answers go. */
export interface StreamOutput {
  /** Whether so much is on the line that more should wait. */
  readonly isFull: boolean;
  sendHeaders(streamId: number, block: Buffer, isLast: boolean): void;
  /** As much of it as windows and other streams' turns allow. @returns bytes that went */
  sendData(stream: Http2Stream, bytes: Uint8Array, sent: (() => void) | undefined): number;
  /** Calls back when nobody needs the memory any more of what went so far. */
  whenSent(callback: () => void): void;
  /** Whoever waits for room on the line. */
  onDrain(callback: () => void): void;
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  /** Whether the client is on this machine. */
  readonly isLocal: boolean;
  readonly sender: StreamOutput;
  /** The handler has seen so many bytes, or nobody ever will: the client may send as many more. */
  consumed(stream: Http2Stream, byteLength: number): void;
  /** Both sides have ended; `code` where it ends by a reset. */
  ended(stream: Http2Stream, code: ErrorCode | undefined): void;
}

interface Piece {
  readonly bytes: Uint8Array;
  at: number;
  readonly sent: (() => void) | undefined;
}

/** What was held is handed on in pieces of this size, so that the handler can pause again. */
const deliveredBytes = 64 * 1024;

/** One request and its answer. */
export class Http2Stream {
  readonly id: number;
  readonly headers: Headers;
  /** Bytes that the client may send, and that it lets us send. */
  receiveWindow: number;
  sendWindow: number;
  /** Consumed, and not yet given back to the client's window. */
  unreturned = 0;
  /** Bytes of the body so far, and as `content-length` says. */
  bodyBytes = 0;
  readonly contentLength: number | undefined;
  /** Seconds for which the client has taken nothing of what waits. */
  stalledTicks = 0;
  readonly #owner: StreamOwner;
  readonly #output: StreamOutput;
  #handler: StreamHandler | undefined;
  #isPaused = false;
  /** Came while nobody takes it. */
  readonly #held = new GatheredBytes();
  #isDelivering = false;
  #isInputEnded = false;
  #isInputTold = false;
  /** Waits for the client's window. */
  #queue: Piece[] = [];
  #trailers: Buffer | undefined;
  #isOutputEnded = false;
  #isClosed = false;

  constructor(
    owner: StreamOwner,
    id: number,
    headers: Headers,
    receiveWindow: number,
    sendWindow: number,
  ) {
    this.#owner = owner;
    this.#output = owner.sender;
    this.id = id;
    this.headers = headers;
    this.receiveWindow = receiveWindow;
    this.sendWindow = sendWindow;
    const length = headers["content-length"];
    this.contentLength = length === undefined ? undefined : Number(length);
  }

  get isLocal(): boolean {
    return this.#owner.isLocal;
  }

  /** Nothing can be sent any more, and nothing comes. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isInputEnded(): boolean {
    return this.#isInputEnded;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether something waits for the client's window. */
  get isBlocked(): boolean {
    return this.#queue.length > 0;
  }

  /** Bytes that came and that nobody has taken. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Whether the client is slow, so that more should wait for `onDrain`. */
  get needsDrain(): boolean {
    return !this.#isClosed && (this.isBlocked || this.#output.isFull);
  }

  onDrain(callback: () => void): void {
    this.#output.onDrain(callback);
  }

  /** From now on the handler sees what comes, and what came already. */
  open(handler: StreamHandler): void {
    this.#handler = handler;
    this.#deliver();
  }

  /** What comes is kept here, and the client gets no more window for it. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  /** The headers of the answer; `isLast` where they are all of it. */
  respond(block: Buffer, isLast = false): void {
    if (this.#isClosed || this.#isOutputEnded) return;
    this.#output.sendHeaders(this.id, block, isLast);
    if (isLast) this.#endOutput();
  }

  /** @param sent called once when nobody needs the bytes any more */
  write(pieces: readonly Uint8Array[], sent?: () => void): void {
    if (this.#isClosed || this.#isOutputEnded) {
      sent?.();
      return;
    }
    const last = pieces.length - 1;
    if (last < 0) sent?.();
    for (let at = 0; at <= last; at++) this.#write(pieces[at], at === last ? sent : undefined);
  }

  /** The end of the answer, behind what was written. */
  finish(trailers: Buffer): void {
    if (this.#isClosed || this.#isOutputEnded) return;
    this.#trailers = trailers;
    if (!this.isBlocked) this.#finish();
  }

  /** Breaks it off. */
  reset(code: ErrorCode = errorCode.CANCEL): void {
    if (!this.#isClosed) this.#owner.ended(this, code);
  }

  /** For the connection: bytes have come. */
  received(bytes: Buffer): void {
    if (this.#handler === undefined || this.#isPaused) {
      this.#held.push(bytes);
      return;
    }
    if (!this.#isOutputEnded) this.#handler.data(bytes);
    this.#owner.consumed(this, bytes.length);
  }

  /** For the connection: the client has ended its side. */
  inputEnded(): void {
    this.#isInputEnded = true;
    this.#deliver();
    if (this.#isOutputEnded && !this.#isClosed) this.#owner.ended(this, undefined);
  }

  /** For the connection: it is this stream's turn to send of what waits. */
  sendMore(): void {
    while (this.#queue.length > 0) {
      const piece = this.#queue[0];
      const rest = piece.at === 0 ? piece.bytes : piece.bytes.subarray(piece.at);
      const went = this.#output.sendData(this, rest, piece.sent);
      if (went > 0) this.stalledTicks = 0;
      piece.at += went;
      if (piece.at < piece.bytes.length) return;
      this.#queue.shift();
    }
    if (this.#trailers !== undefined) this.#finish();
  }

  /** For the connection: it has forgotten the stream. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const queue = this.#queue;
    this.#queue = [];
    if (this.#held.length > 0) this.#owner.consumed(this, this.#held.take().length);
    // The first may be on the line in part.
    for (const { sent } of queue) if (sent !== undefined) this.#output.whenSent(sent);
    this.#handler?.closed();
  }

  #write(bytes: Uint8Array, sent: (() => void) | undefined): void {
    if (this.isBlocked) {
      this.#queue.push({ bytes, at: 0, sent });
      return;
    }
    const went = this.#output.sendData(this, bytes, sent);
    if (went < bytes.length) this.#queue.push({ bytes, at: went, sent });
  }

  #finish(): void {
    const trailers = this.#trailers as Buffer;
    this.#trailers = undefined;
    this.#output.sendHeaders(this.id, trailers, true);
    this.#endOutput();
  }

  #endOutput(): void {
    this.#isOutputEnded = true;
    // The answer does not depend on what has not come: the client need not send it.
    this.#owner.ended(this, this.#isInputEnded ? undefined : errorCode.NO_ERROR);
  }

  #deliver(): void {
    const handler = this.#handler;
    // A handler that pauses and resumes within one call gets what is next after that call.
    if (handler === undefined || this.#isDelivering) return;
    this.#isDelivering = true;
    while (!this.#isPaused && this.#held.length > 0) {
      const bytes = this.#held.take(deliveredBytes);
      if (!this.#isOutputEnded) handler.data(bytes);
      this.#owner.consumed(this, bytes.length);
    }
    this.#isDelivering = false;
    if (this.#isPaused || !this.#isInputEnded || this.#isInputTold || this.#isClosed) return;
    this.#isInputTold = true;
    handler.inputEnded();
  }
}
