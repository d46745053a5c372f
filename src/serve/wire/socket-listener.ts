import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { FrontEndOptions } from "../front-ends.ts";
import { listen, tlsOptions } from "./listen.ts";

const tickMs = 1000;

export interface SocketListenerPlan {
  /** `http` or `grpc`, for messages. */
  readonly name: string;
  /** Of TLS, what is spoken inside. */
  readonly protocol: "http/1.1" | "h2";
  /** Whether clients without ALPN may be taken to speak it. */
  readonly needsProtocol: boolean;
  /** A client is there; its socket is not read yet. */
  onSocket(socket: Socket): void;
  /** A second has passed. */
  onTick(): void;
}

/** A port, its sockets with or without TLS, and a clock for them. */
export class SocketListener {
  readonly #plan: SocketListenerPlan;
  readonly #host: string;
  readonly #server: Server;
  /** Also those whose TLS has not begun. */
  readonly #sockets = new Set<Socket>();
  #clock: NodeJS.Timeout | undefined;

  constructor({ host, tls }: FrontEndOptions, plan: SocketListenerPlan) {
    this.#plan = plan;
    this.#host = host;
    // A client may end its side before it has its answer.
    const settings = { noDelay: true, allowHalfOpen: true };
    const { protocol } = plan;
    if (tls === undefined) {
      this.#server = createServer({ ...settings, pauseOnConnect: true });
      this.#server.on("connection", (socket: Socket) => plan.onSocket(socket));
    } else {
      const options = { ...settings, ...tlsOptions(tls), ALPNProtocols: [protocol] };
      this.#server = createTlsServer(options, (socket: TLSSocket) => {
        if (plan.needsProtocol && socket.alpnProtocol !== protocol) socket.destroy();
        else plan.onSocket(socket);
      });
    }
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  /** Gives the address. @throws Nn2fpgaError N2F_SERVE_LISTEN */
  async start(port: number): Promise<string> {
    const address = await listen(this.#server, this.#host, port, this.#plan.name);
    this.#clock = setInterval(() => this.#plan.onTick(), tickMs);
    this.#clock.unref();
    return address;
  }

  /** Takes no new connections; resolves when the last has closed, and breaks off what is left after `graceMs`. */
  async close(graceMs: number, destroyAll: () => void): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const timer = setTimeout(() => {
      destroyAll();
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
    clearInterval(this.#clock);
  }
}
