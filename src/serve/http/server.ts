import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { InferenceCore } from "../core/index.ts";
import type { FrontEnd, FrontEndOptions, ServeLogger } from "../front-ends.ts";
import { isLoopback } from "../wire/client.ts";
import { listen, tlsOptions } from "../wire/listen.ts";
import { refusalOf } from "../wire/restriction.ts";
import { sendBody, wholeBody } from "./body.ts";
import { HttpError, httpStatusOf } from "./http-error.ts";
import { parseObject } from "./infer-json.ts";
import { type Exchange, type Handler, handled, Router } from "./router.ts";
import { httpRoutes } from "./routes.ts";

/** Longer than the pauses between the jobs of a client, so that its kept connection is still there. */
const keepAliveMs = 75_000;
/** A request must be complete by then, headers and body. */
const requestMs = 300_000;

/** The REST port. */
export class HttpServer implements FrontEnd {
  readonly name = "http";
  address = "";
  readonly #core: InferenceCore;
  readonly #options: FrontEndOptions;
  readonly #logger: ServeLogger;
  readonly #router: Router;
  readonly #server: Server;
  readonly #hasRestrictions: boolean;

  constructor(core: InferenceCore, options: FrontEndOptions, logger: ServeLogger) {
    this.#core = core;
    this.#options = options;
    this.#logger = logger;
    this.#router = new Router(httpRoutes(core, options.maxRequestBytes));
    this.#hasRestrictions = Object.keys(options.restrict).length > 0;
    const { tls } = options;
    const settings = {
      keepAliveTimeout: keepAliveMs,
      requestTimeout: requestMs,
      headersTimeout: 30_000,
      noDelay: true,
    };
    this.#server =
      tls === undefined
        ? createServer(settings)
        : createTlsServer({ ...settings, ...tlsOptions(tls) });
    this.#server.on("request", (request, response) => this.#onRequest(request, response));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable) return;
      const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
      const body = JSON.stringify({ error: `malformed HTTP request: ${error.message}` });
      socket.end(
        `HTTP/1.1 ${status} Bad Request\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    });
  }

  /** @throws Nn2fpgaError */
  async start(port: number): Promise<this> {
    this.address = await listen(this.#server, this.#options.host, port, "http");
    return this;
  }

  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const idle = setInterval(() => this.#server.closeIdleConnections(), 50);
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
    clearInterval(idle);
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const fail = (error: unknown) => this.#fail(request, response, error);
    response.on("error", () => {}); // Told by `close`.
    try {
      const match = this.#router.find(request.url ?? "/");
      if (match === undefined) throw new HttpError(404, `no such endpoint: ${request.url}`);
      const { route, model, version, region } = match;
      const handler = route.verbs[request.method as "GET" | "POST"];
      if (handler === undefined) {
        response.setHeader("Allow", Object.keys(route.verbs).join(", "));
        throw new HttpError(405, `${request.method} is not allowed for ${request.url}`);
      }
      if (this.#hasRestrictions) {
        const refusal = refusalOf(route.group, this.#options.restrict, request.headers);
        if (refusal !== undefined) throw new HttpError(403, refusal);
      }
      const client = {
        isLocal: isLoopback(request.socket.remoteAddress),
        traceparent: request.headers["traceparent"] as string | undefined,
      };
      const json = () => this.#json(request);
      const exchange = { request, response, model, version, region, client, json, fail };
      const isBulky = route.group === "inference";
      if (isBulky && this.#core.pressure.isHigh) {
        // Not read until memory is there; the socket's own buffers fill, and the client waits.
        this.#core.pressure.onRelief(() => {
          if (!response.destroyed) this.#run(handler, exchange);
        });
      } else this.#run(handler, exchange);
    } catch (error) {
      fail(error instanceof URIError ? new HttpError(400, "malformed escapes in the path") : error);
    }
  }

  #run(handler: Handler, exchange: Exchange): void {
    try {
      const result = handler(exchange);
      if (result === handled) return;
      if (result instanceof Promise) {
        result.then((value) => this.#answer(exchange, value)).catch(exchange.fail);
      } else this.#answer(exchange, result);
    } catch (error) {
      exchange.fail(error);
    }
  }

  #answer({ request, response }: Exchange, value: unknown): void {
    if (response.destroyed) return;
    if (value === undefined) {
      response.writeHead(200, { "content-length": 0 });
      response.end();
    } else {
      const headers = { "content-type": "application/json" };
      sendBody(request, response, headers, [JSON.stringify(value)]);
    }
  }

  async #json(request: IncomingMessage): Promise<Record<string, unknown>> {
    const body = await wholeBody(request, this.#options.maxRequestBytes);
    return body.length === 0 ? {} : parseObject(body.toString("utf8"));
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (response.destroyed || response.writableEnded) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const status = httpStatusOf(error);
    const message = error instanceof Error ? error.message : String(error);
    const { traceparent } = request.headers;
    const fields = { url: request.url, status, ...(traceparent !== undefined && { traceparent }) };
    this.#logger.debug({ ...fields, error }, "request refused");
    if (status === 413) response.setHeader("Connection", "close");
    const body = message === "" ? "" : JSON.stringify({ error: message });
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  }
}
