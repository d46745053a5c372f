import type { Socket } from "node:net";
import { isLoopback } from "../wire/client.ts";
import { readSocket } from "../wire/read-socket.ts";
import { ChunkedBody } from "./chunked-body.ts";
import { type BodySink, Exchange } from "./exchange.ts";
import { HttpError } from "./http-error.ts";
import { maxHeadBytes, parseHead, type RequestHead } from "./request-head.ts";

/** What a connection belongs to. */
export interface ConnectionOwner {
  /** Bytes of a request's body, at most. */
  readonly maxBodyBytes: number;
  /** Seconds since some moment. */
  readonly tick: number;
  /** `Date: ...` */
  readonly dateLine: string;
  /** No request is to follow those that are under way. */
  readonly isClosing: boolean;
  /** A request has come as far as its body. It may be answered at once, later, or after its body. */
  onExchange(exchange: Exchange): void;
}

/** Longer than the pauses between the jobs of a client, so that its kept connection is still there. */
const keepAliveSeconds = 75;
const headSeconds = 30;
/** For a request, head and body, and for a client to take its answer. */
const requestSeconds = 300;
const lingerSeconds = 5;
const never = Number.POSITIVE_INFINITY;

const emptyLine = "\r\n\r\n";
const [cr, lf] = [0x0d, 0x0a];
const keptLines = `Connection: keep-alive\r\nKeep-Alive: timeout=${keepAliveSeconds}${emptyLine}`;
const lastLines = `Connection: close${emptyLine}`;

/**
 * One connection: cuts the bytes into requests and serves one after the other. While one waits for its answer, the bytes
 * of the next stay in the socket.
 */
export class Connection {
  readonly isLocal: boolean;
  /** For whoever serves it, to remember what the requests of one client have in common. */
  memory: unknown;
  onClose: (() => void) | undefined;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  /** When to end it unless something happens, on the owner's clock. */
  #expires: number;

  /** Bytes that cannot be read yet: a head that is cut, a body nobody takes yet, the next request. */
  #rest: Buffer | undefined;
  #isProcessing = false;
  /** Whether reading on has to wait for something else than bytes. */
  #isBlocked = false;
  #isHeadBegun = false;
  /** The bytes make no sense any more. */
  #isRefused = false;
  /** The last request is answered; what comes is thrown away until the client closes. */
  #isLingering = false;

  /** The head of the last request, as bytes and as what they mean. */
  #headBytes: Buffer | undefined;
  #head: RequestHead | undefined;

  /** The request that is under way, until it is complete and answered. */
  #exchange: Exchange | undefined;
  #sink: BodySink | undefined;
  #isHeld = false;
  #chunked: ChunkedBody | undefined;
  /** Of a body that is not chunked. */
  #remaining = 0;
  #bodyBytes = 0;
  #isBodyDone = true;
  #isAnswered = false;

  /** @param accepted not read by anybody yet */
  constructor(accepted: Socket, owner: ConnectionOwner) {
    const socket = readSocket(accepted, (chunk) => this.#onData(chunk));
    this.#socket = socket;
    this.#owner = owner;
    this.isLocal = isLoopback(socket.remoteAddress);
    this.#expires = owner.tick + headSeconds;
    socket.on("drain", () => this.#goOn());
    socket.on("end", () => this.#onEnd());
    socket.on("error", () => {}); // Told by `close`.
    socket.on("close", () => {
      this.#rest = undefined;
      this.#leave();
      this.onClose?.();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Whether no answer can be sent any more. */
  get isGone(): boolean {
    return this.#socket.destroyed || this.#isLingering;
  }

  /** Called each second: ends what takes too long. */
  checkTime(): void {
    if (this.#owner.tick < this.#expires) return;
    const isIdle = this.#exchange === undefined && this.#rest === undefined;
    if (this.#isLingering || isIdle) this.#socket.destroy();
    else this.#refuse(new HttpError(408, "the request took too long to come"));
  }

  /** Ends it: now if it is idle, or after the request that is under way. */
  shutDown(): void {
    if (this.#exchange !== undefined || this.#rest !== undefined) return;
    if (this.#socket.writableLength > 0) this.#linger();
    else this.#socket.destroy();
  }

  /** For `Exchange`. */
  read({ head }: Exchange, sink: BodySink): void {
    if (head.bodyBytes > this.#owner.maxBodyBytes) {
      sink.fail(tooLarge(this.#owner.maxBodyBytes));
      return;
    }
    this.#sink = sink;
    if (this.#isBodyDone) this.#finishBody();
    else if (head.isExpectingContinue && this.#rest === undefined) {
      this.#socket.write(`HTTP/1.1 100 Continue${emptyLine}`);
    }
    this.#goOn();
  }

  /** For `Exchange`. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.#goOn();
  }

  /** For `Exchange`: whether the connection ends with this answer. */
  endsAfter({ head }: Exchange, status: number): boolean {
    // The client may or may not send a body that it was not told to send.
    const isUnclear = head.isExpectingContinue && this.#sink === undefined && !this.#isBodyDone;
    const isClosing = this.#owner.isClosing || this.#isRefused;
    return isClosing || isUnclear || !head.isKeptAlive || status === 413;
  }

  /** For `Exchange`: the last lines of a head. */
  closingLines(isLast: boolean): string {
    return this.#owner.dateLine + (isLast ? lastLines : keptLines);
  }

  /** For `Exchange`. */
  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** For `Exchange`. */
  writePieces(pieces: readonly Uint8Array[], sent: (() => void) | undefined): void {
    const socket = this.#socket;
    let tell = sent;
    const done = (): void => {
      socket.off("close", done);
      const once = tell;
      tell = undefined;
      once?.();
    };
    socket.once("close", done);
    const last = pieces.length - 1;
    socket.cork();
    for (let at = 0; at < last; at++) socket.write(pieces[at]);
    socket.write(pieces[last], done);
    socket.uncork();
  }

  /** For `Exchange`: its answer is on its way. */
  answered(exchange: Exchange, isLast: boolean): void {
    if (exchange !== this.#exchange) return;
    this.#isAnswered = true;
    this.#sink = undefined;
    this.#isHeld = false;
    if (isLast) this.#linger();
    else if (this.#isBodyDone) this.#next();
    this.#goOn();
  }

  #onData(chunk: Buffer): void {
    if (this.#isLingering) return;
    const rest = this.#rest;
    if (rest === undefined) this.#process(chunk);
    else {
      this.#rest = undefined;
      this.#process(Buffer.concat([rest, chunk]));
    }
  }

  /** Reads on where it had to wait. */
  #goOn(): void {
    if (this.#isProcessing || this.#isLingering) return;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#process(rest);
  }

  #process(bytes: Buffer): void {
    this.#isProcessing = true;
    this.#isBlocked = false;
    try {
      let at = 0;
      while (at < bytes.length && !this.#isLingering) {
        const next = this.#exchange === undefined ? this.#begin(bytes, at) : this.#body(bytes, at);
        if (next === at) {
          // A copy: the memory behind the view is read into again.
          this.#rest = Buffer.from(bytes.subarray(at));
          break;
        }
        at = next;
      }
    } catch (error) {
      this.#refuse(error);
    }
    this.#isProcessing = false;
    if (this.#isBlocked) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Reads a head and hands the request on. Gives `at` if that cannot be done yet. */
  #begin(bytes: Buffer, at: number): number {
    if (this.#socket.writableNeedDrain) {
      // The client does not read its answers: no further request is read.
      this.#isBlocked = true;
      this.#expires = this.#owner.tick + requestSeconds;
      return at;
    }
    const start = skipEmptyLines(bytes, at);
    const end = this.#readHead(bytes, start);
    if (end === -1) {
      if (!this.#isHeadBegun) this.#expires = this.#owner.tick + headSeconds;
      this.#isHeadBegun = true;
      return start;
    }
    const head = this.#head as RequestHead;
    const exchange = new Exchange(this, head);
    this.#isHeadBegun = false;
    this.#exchange = exchange;
    this.#remaining = head.bodyBytes;
    this.#chunked = head.bodyBytes === -1 ? new ChunkedBody() : undefined;
    this.#bodyBytes = 0;
    this.#isBodyDone = head.bodyBytes === 0;
    this.#isAnswered = false;
    this.#expires = this.#isBodyDone ? never : this.#owner.tick + requestSeconds;
    this.#owner.onExchange(exchange);
    return end;
  }

  /** The place behind the head that begins at `start`, which is then in `#head`; -1 if it is not all there. */
  #readHead(bytes: Buffer, start: number): number {
    const last = this.#headBytes;
    if (
      last !== undefined &&
      bytes.length - start >= last.length &&
      bytes.compare(last, 0, last.length, start, start + last.length) === 0
    ) {
      return start + last.length;
    }
    const end = bytes.indexOf(emptyLine, start, "latin1");
    const headBytes = (end === -1 ? bytes.length : end + emptyLine.length) - start;
    if (headBytes > maxHeadBytes) {
      throw new HttpError(431, `the headers are longer than ${maxHeadBytes} bytes`);
    }
    if (end === -1) return -1;
    this.#head = parseHead(bytes.toString("latin1", start, end));
    this.#headBytes = Buffer.from(bytes.subarray(start, start + headBytes));
    return start + headBytes;
  }

  /** Reads what is there of a body. Gives `at` if nobody takes it yet. */
  #body(bytes: Buffer, at: number): number {
    const isTaken = this.#isAnswered || (this.#sink !== undefined && !this.#isHeld);
    if (this.#isBodyDone || !isTaken) {
      this.#isBlocked = true;
      return at;
    }
    let end: number;
    if (this.#chunked === undefined) {
      end = Math.min(bytes.length, at + this.#remaining);
      this.#remaining -= end - at;
      this.#take(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      this.#isBodyDone = this.#remaining === 0;
    } else {
      end = this.#chunked.read(bytes, at, (piece) => this.#take(piece));
      this.#isBodyDone = this.#chunked.isDone;
    }
    if (this.#isBodyDone) this.#finishBody();
    return end;
  }

  #take(piece: Buffer): void {
    this.#bodyBytes += piece.length;
    if (this.#bodyBytes > this.#owner.maxBodyBytes) {
      const error = tooLarge(this.#owner.maxBodyBytes);
      if (this.#sink === undefined) throw error;
      this.#failBody(error);
      return;
    }
    try {
      this.#sink?.push(piece);
    } catch (error) {
      this.#failBody(error);
    }
  }

  #finishBody(): void {
    this.#expires = never;
    if (this.#isAnswered) {
      this.#next();
      return;
    }
    try {
      this.#sink?.finish();
    } catch (error) {
      this.#failBody(error);
    }
  }

  #failBody(error: unknown): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.fail(error);
  }

  /** The request is complete and answered. */
  #next(): void {
    this.#exchange = undefined;
    const isSent = this.#socket.writableLength === 0;
    this.#expires = this.#owner.tick + (isSent ? keepAliveSeconds : requestSeconds);
    if (this.#owner.isClosing) this.#linger();
  }

  /** Answers what cannot be read as HTTP, and ends. */
  #refuse(error: unknown): void {
    this.#isRefused = true;
    const exchange = this.#exchange ?? new Exchange(this, unreadable);
    this.#leave();
    const { message } = error as Error;
    const status = error instanceof HttpError ? error.status : 500;
    const text = JSON.stringify({
      error: status === 400 ? `malformed HTTP request: ${message}` : message,
    });
    exchange.reply(status, "Content-Type: application/json\r\n", text);
    this.#linger();
  }

  /** Ends the output, and waits until the client has taken it. */
  #linger(): void {
    if (this.#isLingering) return;
    this.#leave();
    this.#isLingering = true;
    this.#rest = undefined;
    this.#expires = this.#owner.tick + requestSeconds;
    this.#socket.end(() => {
      this.#expires = this.#owner.tick + lingerSeconds;
    });
    this.#socket.resume();
  }

  /** The client has closed: what it asked for is of no use to anybody, and what it began is told to be cut. */
  #onEnd(): void {
    const isCut = this.#exchange === undefined ? this.#rest !== undefined : !this.#isBodyDone;
    if (isCut) this.#refuse(new HttpError(400, "it is cut short"));
    else this.#linger();
  }

  /** Tells the request that is under way that its client gets no answer of it. */
  #leave(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#sink = undefined;
    if (exchange?.onGone === undefined) return;
    const { onGone } = exchange;
    exchange.onGone = undefined;
    onGone();
  }
}

/** Stands for a request whose head cannot be read. */
const unreadable: RequestHead = {
  method: "GET",
  target: "/",
  headers: {},
  bodyBytes: 0,
  isHttp10: false,
  isKeptAlive: false,
  isExpectingContinue: false,
};

/** Some clients send an empty line behind a body. */
function skipEmptyLines(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === cr && bytes[at + 1] === lf) at += 2;
  return at;
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `the request is larger than the limit of ${maxBytes} bytes`);
}
