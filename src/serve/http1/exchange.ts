import { STATUS_CODES } from "node:http";
import type { Connection } from "./connection.ts";
import type { RequestHead } from "./request-head.ts";

/** What takes a body as it comes. */
export interface BodySink {
  /** The next bytes, a view for the time of the call. May throw, which ends the body: `fail` is told. */
  push(chunk: Buffer): void;
  /** The body is complete. May throw, likewise. */
  finish(): void;
  /** The body is refused; nothing comes any more. */
  fail(error: unknown): void;
}

/** An answer up to this size is one buffer and one write; a larger one goes in the pieces that it has. */
const copyBytes = 64 * 1024;

/** One request and its answer. The answer may come before the body is complete; the rest is then passed over. */
export class Exchange {
  readonly head: RequestHead;
  readonly connection: Connection;
  /** Told when the client has gone before it had its answer. */
  onGone: (() => void) | undefined;
  #isAnswered = false;

  constructor(connection: Connection, head: RequestHead) {
    this.connection = connection;
    this.head = head;
  }

  /** Answered, or nobody is there to be answered. */
  get isOver(): boolean {
    return this.#isAnswered || this.connection.isGone;
  }

  /** Takes the body; until then the client has to wait with it. */
  read(sink: BodySink): void {
    if (!this.isOver) this.connection.read(this, sink);
  }

  /** Whether the body's next bytes have to wait. */
  hold(isHeld: boolean): void {
    if (!this.isOver) this.connection.hold(isHeld);
  }

  /**
   * Answers. `headers` are whole lines; length, date and connection are added.
   *
   * @param text goes first, as UTF-8
   * @param tensors go behind it. They must stay as they are until `sent` is called, once, whatever happens.
   */
  reply(
    status: number,
    headers: string,
    text: string,
    tensors: readonly Uint8Array[] = none,
    sent?: () => void,
  ): void {
    if (this.isOver) {
      sent?.();
      return;
    }
    this.#isAnswered = true;
    this.onGone = undefined;
    let bodyBytes = Buffer.byteLength(text);
    for (const { length } of tensors) bodyBytes += length;
    const { connection } = this;
    const isLast = connection.endsAfter(this, status);
    const head =
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers}Content-Length: ${bodyBytes}\r\n` +
      connection.closingLines(isLast);
    const isCopied = bodyBytes <= copyBytes;
    if (this.head.method === "HEAD") connection.write(head);
    else if (tensors.length === 0) connection.write(head + text);
    else if (isCopied) connection.write(together(head, text, tensors, bodyBytes));
    else connection.writePieces([Buffer.from(head + text), ...tensors], sent);
    if (isCopied || tensors.length === 0 || this.head.method === "HEAD") sent?.();
    connection.answered(this, isLast);
  }
}

const none: readonly Uint8Array[] = [];

function together(
  head: string,
  text: string,
  tensors: readonly Uint8Array[],
  bodyBytes: number,
): Buffer {
  const whole = Buffer.allocUnsafe(head.length + bodyBytes);
  let at = whole.write(head, 0, "latin1");
  at += whole.write(text, at);
  for (const tensor of tensors) {
    whole.set(tensor, at);
    at += tensor.length;
  }
  return whole;
}
