import { createServer, type Server } from "node:http";
import type { InferenceCore } from "../core/index.ts";
import type { FrontEnd, FrontEndOptions, StartFrontEnd } from "../front-ends.ts";
import { listen } from "../wire/listen.ts";
import { MetricsPage, pageType } from "./page.ts";

/** The metrics port: `GET /metrics`, in clear text and for all who reach it, as scrapers expect. */
export class MetricsServer implements FrontEnd {
  readonly name = "metrics";
  address = "";
  readonly #server: Server;

  constructor(core: InferenceCore) {
    const page = new MetricsPage(core);
    this.#server = createServer((request, response) => {
      const isPage = request.url?.split("?")[0] === "/metrics";
      if (!isPage) response.writeHead(404).end();
      else if (request.method !== "GET") response.writeHead(405, { Allow: "GET" }).end();
      else response.writeHead(200, { "content-type": pageType }).end(page.render());
    });
  }

  /** @throws Nn2fpgaError */
  async start({ host }: FrontEndOptions, port: number): Promise<this> {
    this.address = await listen(this.#server, host, port, "metrics");
    return this;
  }

  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), Math.min(graceMs, 1000));
    await closed;
    clearTimeout(timer);
  }
}

/** Metrics for Prometheus. */
export const startMetrics: StartFrontEnd = async (core, options) =>
  options.metricsPort === undefined
    ? []
    : [await new MetricsServer(core).start(options, options.metricsPort)];
