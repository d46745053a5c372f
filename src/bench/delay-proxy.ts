import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface DelayProxyPlan {
  /** `host:port` that it leads to. */
  readonly target: string;
  /** For each direction: half of the round trip that it adds. */
  readonly delayMs: number;
}

/**
 * A line of a given length between clients and a server: what comes in goes out unchanged, `delayMs` later,
 * in both directions. Only the delay is imitated: bytes on the way are kept here, so the line is as broad as
 * the loopback, whatever its length. The handshake of TCP is not delayed.
 */
export class DelayProxy {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static start({ target, delayMs }: DelayProxyPlan): Promise<DelayProxy> {
    const sockets = new Set<Socket>();
    const colon = target.lastIndexOf(":");
    const [host, port] = [target.slice(0, colon), Number(target.slice(colon + 1))];
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = connect({ host, port, allowHalfOpen: true, noDelay: true });
      for (const socket of [near, far]) {
        sockets.add(socket);
        // Both ends go when one breaks: the other shall see that its line is dead.
        socket.on("error", () => {});
        socket.once("close", () => {
          sockets.delete(socket);
          if (socket.errored !== null) (socket === near ? far : near).destroy();
        });
      }
      delayLine(near, far, delayMs);
      delayLine(far, near, delayMs);
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve(new DelayProxy(server, sockets)));
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Bytes on one line, at most; far above what clients that wait for answers have under way. */
const maxBytesOnLine = 256 << 20;

/**
 * Timers of an event loop count whole milliseconds and fire most of one late. What is due within that goes
 * out at once, so that the mean delay is right.
 */
const slackMs = 0.8;

/** Carries one direction. A `null` on the line is the end of what the sender has to say. */
function delayLine(from: Socket, to: Socket, delayMs: number): void {
  let waiting: { readonly dueMs: number; readonly chunk: Buffer | null }[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;

  const deliver = () => {
    timer = undefined;
    const now = performance.now() + slackMs;
    let count = 0;
    to.cork();
    for (; count < waiting.length && waiting[count].dueMs <= now; count++) {
      const { chunk } = waiting[count];
      if (chunk === null) to.end();
      else to.write(chunk, () => taken(chunk.length));
    }
    to.uncork();
    waiting = waiting.slice(count);
    schedule();
  };
  const schedule = () => {
    if (timer !== undefined || waiting.length === 0) return;
    timer = setTimeout(deliver, Math.max(0, waiting[0].dueMs - performance.now() - slackMs));
  };
  const taken = (count: number) => {
    bytes -= count;
    if (from.isPaused() && bytes < maxBytesOnLine / 2) from.resume();
  };
  const put = (chunk: Buffer | null) => {
    waiting.push({ dueMs: performance.now() + delayMs, chunk });
    bytes += chunk?.length ?? 0;
    if (bytes > maxBytesOnLine) from.pause();
    schedule();
  };
  from.on("data", put);
  from.on("end", () => put(null));
  to.once("close", () => clearTimeout(timer));
}
