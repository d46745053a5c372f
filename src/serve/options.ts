import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { parse as parseYaml } from "yaml";
import { fail, Nn2fpgaError } from "../base/index.ts";
import { packagePath } from "../tools/index.ts";
import type { CoreOptions } from "./create-core.ts";
import type { FrontEndOptions } from "./front-ends.ts";

export type Port = number | "off";

/** The options of `nn2fpga serve` as its file has them (`schema/serve.schema.json`). */
export interface ServeOptions {
  readonly repository?: string;
  readonly device?: string | readonly string[];
  readonly threads?: number;
  readonly host?: string;
  readonly "http-port"?: Port;
  readonly "grpc-port"?: Port;
  readonly "metrics-port"?: Port;
  readonly "tls-cert"?: string;
  readonly "tls-key"?: string;
  readonly "tls-ca"?: string;
  readonly restrict?: Readonly<Record<string, { readonly header: string; readonly value: string }>>;
  readonly "model-control"?: "none" | "explicit" | "poll";
  readonly "poll-seconds"?: number;
  readonly "load-model"?: readonly string[];
  readonly "default-model"?: string;
  readonly name?: string;
  readonly "shared-memory"?: boolean;
  readonly "max-request-mib"?: number;
  readonly "max-in-flight-mib"?: number;
  readonly "max-queue"?: number;
  readonly "max-queue-mib"?: number;
  readonly "drain-seconds"?: number;
  readonly "grace-seconds"?: number;
  readonly "otlp-endpoint"?: string;
  readonly "log-level"?: "debug" | "info" | "warn" | "error" | "silent";
}

/** Everything that a server is started with. */
export interface ServerPlan {
  readonly core: CoreOptions;
  readonly frontEnds: FrontEndOptions;
  /** Between "not ready" and the end of the listeners: load balancers look away meanwhile. */
  readonly drainMs: number;
  /** For requests that are under way then. */
  readonly graceMs: number;
  readonly logLevel: string;
}

/**
 * Reads a file of options.
 *
 * @throws N2F_FILE_READ, N2F_CONFIG_INVALID
 */
export function readServeOptions(path: string): ServeOptions {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    return fail("N2F_FILE_READ", `the configuration cannot be read: ${(cause as Error).message}`, {
      at: path,
      cause,
    });
  }
  let content: unknown;
  try {
    content = parseYaml(text) ?? {};
  } catch (cause) {
    const [line] = (cause as Error).message.split("\n");
    return fail("N2F_CONFIG_INVALID", `this is no YAML: ${line}`, { at: path, cause });
  }
  checkServeOptions(content, path);
  return content;
}

/** @throws N2F_CONFIG_INVALID with everything that is wrong */
export function checkServeOptions(content: unknown, at: string): asserts content is ServeOptions {
  const schema = JSON.parse(readFileSync(packagePath("schema", "serve.schema.json"), "utf8"));
  const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema as object);
  if (validate(content)) return;
  throw new Nn2fpgaError(
    (validate.errors ?? []).map(({ instancePath, message, params }) => {
      const { additionalProperty } = params as { additionalProperty?: string };
      const extra = additionalProperty === undefined ? "" : `: ${additionalProperty}`;
      return {
        code: "N2F_CONFIG_INVALID",
        message: `${instancePath.slice(1) || "the file"} ${message}${extra}`,
        at,
        hint: "`nn2fpga serve --help` and docs/serving.md have every option.",
      };
    }),
  );
}

const mib = 2 ** 20;

/**
 * Fills in what options leave open. Clients may load models only where all of them are on this machine, unless the
 * operator says otherwise.
 *
 * @throws N2F_OPTION_INVALID
 */
export function planServer(options: ServeOptions): ServerPlan {
  const { repository, host = "127.0.0.1", device = "emulator" } = options;
  if (repository === undefined) {
    return fail("N2F_OPTION_INVALID", "there is no model repository", {
      hint: "Give a folder of models or a bundle: `nn2fpga serve FOLDER`.",
    });
  }
  const port = (given: Port | undefined, usual: number): number | undefined =>
    given === "off" ? undefined : (given ?? usual);
  const [httpPort, grpcPort, metricsPort] = [
    port(options["http-port"], 8000),
    port(options["grpc-port"], 8001),
    port(options["metrics-port"], 8002),
  ];
  return {
    core: {
      repository,
      devices: typeof device === "string" ? [device] : device,
      modelControl: options["model-control"] ?? (isLoopback(host) ? "explicit" : "none"),
      allowSharedMemory: options["shared-memory"] ?? false,
      ...defined({
        threads: options.threads,
        models: options["load-model"],
        defaultModel: options["default-model"],
        serverName: options.name,
        otlpEndpoint: collectorOf(options["otlp-endpoint"]),
        pollSeconds: options["poll-seconds"],
        maxBytesInFlight: times(options["max-in-flight-mib"], mib),
        maxQueueRequests: options["max-queue"],
        maxQueueBytes: times(options["max-queue-mib"], mib),
      }),
    },
    frontEnds: {
      host,
      ...defined({ httpPort, grpcPort, metricsPort, tls: tlsOf(options) }),
      maxRequestBytes: (options["max-request-mib"] ?? 256) * mib,
      restrict: Object.fromEntries(
        Object.entries(options.restrict ?? {}).map(([group, { header, value }]) => [
          group,
          [header, value] as const,
        ]),
      ),
    },
    drainMs: (options["drain-seconds"] ?? 0) * 1000,
    graceMs: (options["grace-seconds"] ?? 30) * 1000,
    logLevel: options["log-level"] ?? "info",
  };
}

function collectorOf(text: string | undefined): string | undefined {
  if (text === undefined || /^https?:\/\/[^\s/]+/.test(text)) return text;
  return fail("N2F_OPTION_INVALID", `"${text}" is no address of a collector`, {
    at: "otlp-endpoint",
    hint: "Give its base address, as http://collector:4318; /v1/traces is added.",
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

function times(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}

/** Without the entries that are undefined. */
function defined<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== undefined),
  ) as never;
}

function tlsOf({
  "tls-cert": certPath,
  "tls-key": keyPath,
  "tls-ca": caPath,
}: ServeOptions): FrontEndOptions["tls"] {
  if (certPath === undefined && keyPath === undefined && caPath === undefined) return undefined;
  if (certPath === undefined || keyPath === undefined) {
    return fail("N2F_OPTION_INVALID", "TLS needs a certificate and its key", {
      hint: "Give both --tls-cert and --tls-key; --tls-ca asks clients for a certificate, too.",
    });
  }
  return {
    cert: certPath,
    key: keyPath,
    ...(caPath !== undefined && { ca: caPath }),
  };
}
