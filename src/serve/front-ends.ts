import type { InferenceCore } from "./core/inference-core.ts";
import { startGrpc } from "./grpc/index.ts";
import { startHttp } from "./http/index.ts";
import { startMetrics } from "./metrics/index.ts";

/** Where and how clients reach the server. A port of 0 takes any free one; undefined leaves it off. */
export interface FrontEndOptions {
  readonly host: string;
  readonly httpPort?: number;
  readonly grpcPort?: number;
  readonly metricsPort?: number;
  /** PEM files. With `ca`, clients must show a certificate that it signed. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** Largest message or body; more is refused. */
  readonly maxRequestBytes: number;
  /** Groups of endpoints that ask for a header: `{"model-repository": ["admin-key", "secret"]}`. */
  readonly restrict: Readonly<Record<string, readonly [header: string, value: string]>>;
}

/** Structured logging; pino's loggers fit. */
export interface ServeLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Something that listens. */
export interface FrontEnd {
  /** `grpc`, `http`, `metrics`. */
  readonly name: string;
  /** `127.0.0.1:8001`. */
  readonly address: string;
  /** Takes no new connections (GOAWAY), ends when the open requests are answered or the time is over. */
  close(graceMs: number): Promise<void>;
}

export type StartFrontEnd = (
  core: InferenceCore,
  options: FrontEndOptions,
  logger: ServeLogger,
) => Promise<readonly FrontEnd[]>;

/** Everything that listens. A protocol adds a line here. */
const starters: readonly StartFrontEnd[] = [startGrpc, startHttp, startMetrics];

/** Starts all front ends, or none: those that run are closed where one fails. @throws Nn2fpgaError */
export async function startFrontEnds(
  core: InferenceCore,
  options: FrontEndOptions,
  logger: ServeLogger,
): Promise<readonly FrontEnd[]> {
  const started: FrontEnd[] = [];
  try {
    for (const start of starters) started.push(...(await start(core, options, logger)));
  } catch (error) {
    await Promise.all(started.map((frontEnd) => frontEnd.close(0)));
    throw error;
  }
  return started;
}
