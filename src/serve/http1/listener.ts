import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { FrontEndOptions } from "../front-ends.ts";
import { listen, tlsOptions } from "../wire/listen.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import type { Exchange } from "./exchange.ts";

const tickMs = 1000;

/** All connections of one port. */
export class HttpListener implements ConnectionOwner {
  readonly maxBodyBytes: number;
  readonly onExchange: (exchange: Exchange) => void;
  tick = 0;
  dateLine = "";
  isClosing = false;
  readonly #host: string;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  /** Also those whose TLS has not begun. */
  readonly #sockets = new Set<Socket>();
  #clock: NodeJS.Timeout | undefined;

  constructor(
    { host, tls, maxRequestBytes }: FrontEndOptions,
    onExchange: (exchange: Exchange) => void,
  ) {
    this.#host = host;
    this.maxBodyBytes = maxRequestBytes;
    this.onExchange = onExchange;
    // A client may end its side before it has its answer.
    const settings = { noDelay: true, allowHalfOpen: true };
    this.#server =
      tls === undefined
        ? createServer(settings)
        : createTlsServer({ ...settings, ...tlsOptions(tls), ALPNProtocols: ["http/1.1"] });
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      const connection = new Connection(socket, this);
      this.#connections.add(connection);
      socket.once("close", () => this.#connections.delete(connection));
    });
    this.#server.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  /** Gives the address. @throws Nn2fpgaError N2F_SERVE_LISTEN */
  async start(port: number): Promise<string> {
    this.#onTick();
    const address = await listen(this.#server, this.#host, port, "http");
    this.#clock = setInterval(() => this.#onTick(), tickMs);
    this.#clock.unref();
    return address;
  }

  /** Takes no new connections; those that are idle end now, others with their answer, the rest after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.shutDown();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
    clearInterval(this.#clock);
  }

  #onTick(): void {
    this.tick++;
    this.dateLine = `Date: ${new Date().toUTCString()}\r\n`;
    for (const connection of this.#connections) connection.checkTime();
  }
}
