import type { InferenceCore } from "../core/index.ts";
import type { FrontEnd, FrontEndOptions, ServeLogger } from "../front-ends.ts";
import { type Exchange, HttpError, HttpListener, type RequestHead } from "../http1/index.ts";
import { refusalOf } from "../wire/restriction.ts";
import { sendBody, wholeBody } from "./body.ts";
import { httpStatusOf } from "./http-error.ts";
import { parseObject } from "./infer-json.ts";
import { type Handler, handled, type Match, type RestCall, Router } from "./router.ts";
import { httpRoutes } from "./routes.ts";

const jsonType = "Content-Type: application/json\r\n";

/** The REST port. */
export class HttpServer implements FrontEnd {
  readonly name = "http";
  address = "";
  readonly #core: InferenceCore;
  readonly #options: FrontEndOptions;
  readonly #logger: ServeLogger;
  readonly #router: Router;
  readonly #listener: HttpListener;
  readonly #hasRestrictions: boolean;
  /** Heads are kept by their connections; most requests of one have the same. */
  readonly #matches = new WeakMap<RequestHead, Match>();

  constructor(core: InferenceCore, options: FrontEndOptions, logger: ServeLogger) {
    this.#core = core;
    this.#options = options;
    this.#logger = logger;
    this.#router = new Router(httpRoutes(core, options.maxRequestBytes));
    this.#hasRestrictions = Object.keys(options.restrict).length > 0;
    this.#listener = new HttpListener(options, (exchange) => this.#onExchange(exchange));
  }

  /** @throws Nn2fpgaError */
  async start(port: number): Promise<this> {
    this.address = await this.#listener.start(port);
    return this;
  }

  close(graceMs: number): Promise<void> {
    return this.#listener.close(graceMs);
  }

  #onExchange(exchange: Exchange): void {
    const fail = (error: unknown): void => this.#fail(exchange, error);
    try {
      const { route, handler, ...open } = this.#match(exchange);
      const { headers } = exchange.head;
      if (this.#hasRestrictions) {
        const refusal = refusalOf(route.group, this.#options.restrict, headers);
        if (refusal !== undefined) throw new HttpError(403, refusal);
      }
      const call: RestCall = {
        exchange,
        ...open,
        client: { isLocal: exchange.connection.isLocal, traceparent: headers["traceparent"] },
        json: () => this.#json(exchange),
        fail,
      };
      if (route.group === "inference" && this.#core.pressure.isHigh) {
        // Not read until memory is there; the socket's own buffers fill, and the client waits.
        this.#core.pressure.onRelief(() => {
          if (!exchange.isOver) this.#run(handler, call);
        });
      } else this.#run(handler, call);
    } catch (error) {
      fail(error);
    }
  }

  /** @throws HttpError 400, 404, 405 */
  #match({ head }: Exchange): Match & { readonly handler: Handler } {
    let match = this.#matches.get(head);
    if (match === undefined) {
      try {
        match = this.#router.find(head.target);
      } catch {
        throw new HttpError(400, "malformed escapes in the path");
      }
      if (match === undefined) throw new HttpError(404, `no such endpoint: ${head.target}`);
      this.#matches.set(head, match);
    }
    const handler = match.route.verbs[head.method as "GET" | "POST"];
    if (handler !== undefined) return { ...match, handler };
    throw new HttpError(405, `${head.method} is not allowed for ${head.target}`, {
      headers: `Allow: ${Object.keys(match.route.verbs).join(", ")}\r\n`,
    });
  }

  #run(handler: Handler, call: RestCall): void {
    try {
      const result = handler(call);
      if (result === handled) return;
      if (result instanceof Promise) {
        result.then((value) => this.#answer(call.exchange, value)).catch(call.fail);
      } else this.#answer(call.exchange, result);
    } catch (error) {
      call.fail(error);
    }
  }

  #answer(exchange: Exchange, value: unknown): void {
    if (value === undefined) exchange.reply(200, "", "");
    else sendBody(exchange, jsonType, JSON.stringify(value));
  }

  async #json(exchange: Exchange): Promise<Record<string, unknown>> {
    const body = await wholeBody(exchange, this.#options.maxRequestBytes);
    return body.length === 0 ? {} : parseObject(body.toString("utf8"));
  }

  #fail(exchange: Exchange, error: unknown): void {
    if (exchange.isOver) return;
    const status = httpStatusOf(error);
    const message = error instanceof Error ? error.message : String(error);
    const { target, headers } = exchange.head;
    const { traceparent } = headers;
    const fields = { url: target, status, ...(traceparent !== undefined && { traceparent }) };
    this.#logger.debug({ ...fields, error }, "request refused");
    const lines = error instanceof HttpError ? error.headers : "";
    exchange.reply(
      status,
      jsonType + lines,
      message === "" ? "" : JSON.stringify({ error: message }),
    );
  }
}
