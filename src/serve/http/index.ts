import type { StartFrontEnd } from "../front-ends.ts";
import { HttpServer } from "./server.ts";

/** HTTP/REST: Triton's endpoints, with binary tensors. */
export const startHttp: StartFrontEnd = async (core, options, logger) =>
  options.httpPort === undefined
    ? []
    : [await new HttpServer(core, options, logger).start(options.httpPort)];
