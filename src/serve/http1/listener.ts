import type { FrontEndOptions } from "../front-ends.ts";
import { SocketListener } from "../wire/socket-listener.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import type { Exchange } from "./exchange.ts";

/** All connections of one port. */
export class HttpListener implements ConnectionOwner {
  readonly maxBodyBytes: number;
  readonly onExchange: (exchange: Exchange) => void;
  tick = 0;
  dateLine = "";
  isClosing = false;
  readonly #listener: SocketListener;
  readonly #connections = new Set<Connection>();

  constructor(options: FrontEndOptions, onExchange: (exchange: Exchange) => void) {
    this.maxBodyBytes = options.maxRequestBytes;
    this.onExchange = onExchange;
    this.#listener = new SocketListener(options, {
      name: "http",
      protocol: "http/1.1",
      needsProtocol: false,
      onSocket: (socket) => {
        const connection = new Connection(socket, this);
        this.#connections.add(connection);
        connection.onClose = () => this.#connections.delete(connection);
      },
      onTick: () => this.#onTick(),
    });
  }

  /** Gives the address. @throws Nn2fpgaError N2F_SERVE_LISTEN */
  start(port: number): Promise<string> {
    this.#onTick();
    return this.#listener.start(port);
  }

  /** Takes no new connections; those that are idle end now, others with their answer, the rest after `graceMs`. */
  close(graceMs: number): Promise<void> {
    this.isClosing = true;
    const closed = this.#listener.close(graceMs, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    for (const connection of this.#connections) connection.shutDown();
    return closed;
  }

  #onTick(): void {
    this.tick++;
    this.dateLine = `Date: ${new Date().toUTCString()}\r\n`;
    for (const connection of this.#connections) connection.checkTime();
  }
}
