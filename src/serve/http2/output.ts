import type { Socket } from "node:net";

/** Up to so many bytes are copied into one buffer, which costs less than handing over several. */
const joinBytes = 64 * 1024;
const nothing = new Uint8Array();

/** What a connection has to say: all frames of one turn of the event loop become one write. */
export class Output {
  readonly #socket: Socket;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #sent: (() => void)[] = [];
  #isScheduled = false;
  #isEnded = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes that the client has not taken. */
  get pendingBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** @param piece is kept until it is sent. @param sent called once it is, or never will be */
  put(piece: Uint8Array, sent?: () => void): void {
    if (this.#isEnded) {
      sent?.();
      return;
    }
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (sent !== undefined) this.#sent.push(sent);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(() => this.#flush());
  }

  /** Calls back when nobody needs the memory any more of what was put so far. */
  whenSent(callback: () => void): void {
    if (this.pendingBytes === 0) callback();
    else this.put(nothing, callback);
  }

  /** Nothing more is said. */
  end(): void {
    if (this.#isEnded) return;
    this.#flush();
    this.#isEnded = true;
    this.#socket.end();
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#pieces.length === 0) return;
    const [pieces, bytes, sent] = [this.#pieces, this.#bytes, this.#sent];
    this.#pieces = [];
    this.#bytes = 0;
    this.#sent = [];
    // The socket calls back also where it breaks.
    const done = sent.length === 0 ? undefined : () => callAll(sent);
    const socket = this.#socket;
    if (socket.destroyed) {
      done?.();
      return;
    }
    if (pieces.length === 1) socket.write(pieces[0], done);
    else if (bytes <= joinBytes) socket.write(Buffer.concat(pieces, bytes), done);
    else {
      socket.cork();
      const last = pieces.length - 1;
      for (let at = 0; at < last; at++) socket.write(pieces[at]);
      socket.write(pieces[last], done);
      socket.uncork();
    }
  }
}

function callAll(callbacks: readonly (() => void)[]): void {
  for (const callback of callbacks) callback();
}
