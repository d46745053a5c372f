import type { FrontEndOptions } from "../front-ends.ts";
import { readSocket } from "../wire/read-socket.ts";
import { SocketListener } from "../wire/socket-listener.ts";
import { Connection } from "./connection.ts";
import type { Http2Stream } from "./stream.ts";

/** Between the notice that the server goes and the end of taking requests that were on their way. */
const noticeMs = 50;
const keepAliveMs = 60_000;

/** All HTTP/2 connections of one port. */
export class Http2Listener {
  readonly #listener: SocketListener;
  readonly #connections = new Set<Connection>();
  readonly #onStream: (stream: Http2Stream) => void;

  constructor(options: FrontEndOptions, onStream: (stream: Http2Stream) => void) {
    this.#onStream = onStream;
    this.#listener = new SocketListener(options, {
      name: "grpc",
      protocol: "h2",
      needsProtocol: true,
      onSocket: (accepted) => {
        const socket = readSocket(accepted, (bytes) => connection.push(bytes));
        // A client that has vanished without a word is noticed.
        socket.setKeepAlive(true, keepAliveMs);
        const connection: Connection = new Connection(socket, this);
        this.#connections.add(connection);
        socket.once("close", () => this.#connections.delete(connection));
      },
      onTick: () => {
        for (const connection of this.#connections) connection.checkTime();
      },
    });
  }

  onStream(stream: Http2Stream): void {
    this.#onStream(stream);
  }

  /** Gives the address. @throws Nn2fpgaError N2F_SERVE_LISTEN */
  start(port: number): Promise<string> {
    return this.#listener.start(port);
  }

  /**
   * Says GOAWAY, lets the open streams end, and then closes what is left.
   * @param onEnd called when streams that come from now on are not to be served
   */
  async close(graceMs: number, onEnd: () => void): Promise<void> {
    const closed = this.#listener.close(graceMs, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    // First a notice, for calls that are on their way; then the end.
    for (const connection of this.#connections) connection.announceEnd();
    await new Promise((resolve) => setTimeout(resolve, Math.min(graceMs, noticeMs)));
    onEnd();
    for (const connection of this.#connections) connection.endAfterStreams();
    await closed;
  }
}
