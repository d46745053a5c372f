import type { StartFrontEnd } from "../front-ends.ts";
import { GrpcServer } from "./server.ts";

/** gRPC: Triton's service, health, reflection, TensorFlow Serving. */
export const startGrpc: StartFrontEnd = async (core, options, logger) =>
  options.grpcPort === undefined
    ? []
    : [await new GrpcServer(core, options, logger).start(options.grpcPort)];
