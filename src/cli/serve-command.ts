import { Command, InvalidArgumentError, Option } from "commander";
import { fail } from "../base/index.ts";
import type { Port, ServeOptions } from "../serve/index.ts";
import { integer, list, real } from "./options.ts";
import { Output } from "./output.ts";

/** What commander makes of the options: camel case, and the file. */
type Flags = Readonly<Record<string, unknown>> & {
  readonly config?: string;
  readonly json?: boolean;
};

export function serveCommand(): Command {
  return new Command("serve")
    .description("serves bundles over gRPC and HTTP, as clients of Triton expect")
    .argument("[repository]", "folder of models, or one bundle")
    .option("--device <name>", "emulator, rtl, null or null:TIMEms; several share the work", list)
    .option("--threads <n>", "worker threads of the emulator", integer(0, 1024))
    .option("--host <address>", "address to listen on (127.0.0.1)")
    .option("--http-port <port>", "HTTP (8000); 0 for any free one, off for none", port)
    .option("--grpc-port <port>", "gRPC (8001)", port)
    .option("--metrics-port <port>", "metrics for Prometheus (8002)", port)
    .option("--tls-cert <file>", "certificate (PEM), with --tls-key")
    .option("--tls-key <file>", "its key (PEM)")
    .option("--tls-ca <file>", "clients must show a certificate that this one signed")
    .addOption(
      new Option(
        "--model-control <mode>",
        "who loads models: nobody after the start, clients, or the server when the folder changes",
      ).choices(["none", "explicit", "poll"]),
    )
    .option("--poll-seconds <s>", "how often `poll` looks (15)", real(0.01, 86_400))
    .option(
      "--load-model <name>",
      "load only this one at the start; may be given several times",
      list,
    )
    .option("--default-model <name>", "for requests that name none")
    .option("--name <name>", "what the server calls itself (triton)")
    .option("--shared-memory", "let clients register shared memory")
    .option("--max-request-mib <n>", "largest request (256)", integer(1, 2047))
    .option(
      "--max-in-flight-mib <n>",
      "bytes of requests before sockets wait (512)",
      integer(1, 2 ** 20),
    )
    .option(
      "--max-queue <n>",
      "requests that may wait for one model (10000)",
      integer(1, 10_000_000),
    )
    .option("--max-queue-mib <n>", "bytes that may wait for one model (256)", integer(1, 2 ** 20))
    .option("--drain-seconds <s>", "time not ready but serving, after SIGTERM (0)", real(0, 86_400))
    .option("--grace-seconds <s>", "time for what is under way then (30)", real(0, 86_400))
    .option("--otlp-endpoint <url>", "collector of OpenTelemetry, for traces that clients begin")
    .addOption(
      new Option(
        "--log-level <level>",
        "of the log on stderr, one JSON object a line (info)",
      ).choices(["debug", "info", "warn", "error", "silent"]),
    )
    .option("--config <file>", "YAML file with these options (schema/serve.schema.json)")
    .option("--json", "one JSON document on stdout when all models are loaded")
    .action((repository: string | undefined, flags: Flags) => run(repository, flags));
}

function port(text: string): Port {
  if (text === "off") return text;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError("a port from 0 to 65535, or off, is wanted.");
}

async function run(repository: string | undefined, { config, json, ...flags }: Flags) {
  // Other commands start without the server and its libraries.
  const { planServer, readServeOptions, startServer } = await import("../serve/index.ts");
  const { pino } = await import("pino");
  const file = config === undefined ? {} : readServeOptions(config);
  const given = Object.fromEntries(
    Object.entries({ ...flags, ...(repository !== undefined && { repository }) }).map(
      ([name, value]) => [name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), value],
    ),
  );
  const plan = planServer({ ...file, ...given } as ServeOptions);
  const logger = pino({ level: plan.logLevel, base: null }, pino.destination(2));
  const output = new Output(json === true);
  const server = await startServer(plan, logger);
  const stopped = stopOnSignal(server.stop);
  const failures = await server.loaded;
  const models = server.core.repositoryIndex({ ready: false });
  const isAnyReady = models.some(({ state }) => state === "READY");
  if (!isAnyReady && plan.core.modelControl === "none") {
    await server.stop();
    fail("N2F_SERVE_NO_MODEL", failures.join("; ") || "the repository has no model", {
      at: plan.core.repository,
      hint: "A model is a bundle NAME.n2f, or a folder NAME with version folders 1, 2, ... in it.",
    });
  }
  output.document({
    addresses: Object.fromEntries(server.frontEnds.map(({ name, address }) => [name, address])),
    models,
  });
  for (const { name, address } of server.frontEnds) output.line(`${name.padEnd(8)} ${address}`);
  for (const { name, version, state, reason } of models) {
    output.line(`model    ${name} ${version} ${state}${reason === "" ? "" : `: ${reason}`}`);
  }
  await stopped;
}

/** The first signal drains, the second one ends at once. */
function stopOnSignal(stop: () => Promise<boolean>): Promise<void> {
  return new Promise((resolve, reject) => {
    let isStopping = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isStopping) process.exit(signal === "SIGINT" ? 130 : 143);
      isStopping = true;
      stop().then(() => resolve(), reject);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
