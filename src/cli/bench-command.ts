import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { fail } from "../base/index.ts";
import type {
  ComparisonRow,
  Curve,
  Finding,
  Loop,
  Protocol,
  ReportContent,
  ServerProcess,
} from "../bench/index.ts";
import { integer, real } from "./options.ts";
import { Output } from "./output.ts";

const scenarios = ["scale-out", "facile", "table"] as const;

interface Flags {
  readonly scenario?: (typeof scenarios)[number];
  readonly server?: string;
  readonly model?: string;
  readonly device: string;
  readonly threads?: number;
  readonly protocol: Protocol;
  readonly clients?: readonly number[];
  readonly rtt?: readonly number[];
  readonly seconds: number;
  readonly warmup: number;
  readonly loop: Loop["kind"];
  readonly rate?: number;
  readonly seed: number;
  readonly batch?: number;
  readonly inputs?: string;
  readonly report?: string;
  readonly json?: boolean;
}

export function benchCommand(): Command {
  return new Command("bench")
    .description("measures what has been built: `bench serve` puts load on a server")
    .addCommand(benchServeCommand());
}

function benchServeCommand(): Command {
  return new Command("serve")
    .exitOverride()
    .description("puts load on a server, as many clients over a line of any length would")
    .argument("[repository]", "folder of models, or one bundle, for a server of our own")
    .addOption(
      new Option(
        "--scenario <name>",
        "a test that is known: image requests scaled out, the calorimeter's batches, the comparison",
      ).choices(scenarios),
    )
    .option("--server <host:port>", "a server that runs already, instead of one of our own")
    .option("--model <name>", "which of the server's models; needed where it has several")
    .option("--device <name>", "of our own server: emulator, rtl, null:TIMEms, ...", "emulator")
    .option("--threads <n>", "of the emulator", integer(0, 1024))
    .addOption(
      new Option("--protocol <p>", "what clients speak").choices(["grpc", "http"]).default("grpc"),
    )
    .option("--clients <list>", "numbers of clients, a point each: 1,2,5,10", counts)
    .option("--rtt <list>", "round trips in ms, a curve each, made by a proxy: 0,10,60", times)
    .option("--seconds <s>", "measured for each point", real(0.1, 3600), 2)
    .option("--warmup <s>", "before that", real(0, 600), 0.5)
    .addOption(
      new Option("--loop <kind>", "closed: a client waits for its answer; open: Poisson arrivals")
        .choices(["closed", "open"])
        .default("closed"),
    )
    .option("--rate <n>", "with --loop open: requests a second, of all clients", real(0.001, 1e6))
    .option("--seed <n>", "of the arrivals", integer(0, 2 ** 32 - 1), 1)
    .option("--batch <n>", "rows of a request", integer(1, 10_000_000))
    .option("--inputs <file>", "real inputs for facile and table (.npy .npz .pb .csv .dat)")
    .option("--report <file>", "a page with charts (.html)")
    .option("--json", "one JSON document on stdout")
    .action((repository: string | undefined, flags: Flags) => run(repository, flags));
}

/** @returns ascending, each once */
function counts(text: string): number[] {
  const parse = integer(1, 10_000);
  return [...new Set(text.split(",").map(parse))].sort((a, b) => a - b);
}

function times(text: string): number[] {
  const parse = real(0, 10_000);
  const list = text.split(",").map(parse);
  if (new Set(list).size === list.length) return list;
  throw new InvalidArgumentError("each round trip is wanted once.");
}

/** What a run gives: the page's content, and the document of `--json`. */
interface Outcome {
  readonly document: unknown;
  readonly content: Omit<ReportContent, "facts">;
}

async function run(repository: string | undefined, flags: Flags): Promise<void> {
  checkFlags(repository, flags);
  const output = new Output(flags.json === true);
  const load = loadavg()[0];
  const before = processorTimes();
  const { document, content } = await outcomeOf(repository, flags, output);
  output.done();
  const facts: ReportContent["facts"] = [
    ["machine", `${cpus().length} x ${cpus()[0]?.model.trim() || "unknown processor"}`],
    ["load before", `${load.toFixed(2)} (average of a minute; 0 on an idle machine)`],
    [
      "busy meanwhile",
      `${busyShare(before, processorTimes())} of all cores, whatever runs on them`,
    ],
    ["Node", process.version],
    ["protocol", flags.protocol],
    ["each point", `${flags.seconds} s after ${flags.warmup} s and four round trips`],
  ];
  const page = { ...content, facts };
  if (flags.report !== undefined) {
    const { reportPage } = await import("../bench/index.ts");
    writePage(flags.report, reportPage(page));
  }
  output.document({
    ...(document as object),
    findings: content.findings,
    facts: Object.fromEntries(facts),
  });
  await print(output, page);
  if (flags.report !== undefined) output.line(`\nreport: ${flags.report}`);
}

/** Of all cores since the start of the machine. */
function processorTimes(): { readonly busyMs: number; readonly idleMs: number } {
  const times = cpus().map(({ times: each }) => each);
  const sum = (of: (each: (typeof times)[number]) => number) =>
    times.reduce((total, each) => total + of(each), 0);
  return {
    busyMs: sum(({ user, nice, sys, irq }) => user + nice + sys + irq),
    idleMs: sum((t) => t.idle),
  };
}

type Times = ReturnType<typeof processorTimes>;

function busyShare(before: Times, after: Times): string {
  const busy = after.busyMs - before.busyMs;
  return `${((100 * busy) / (busy + after.idleMs - before.idleMs)).toFixed(0)} %`;
}

function checkFlags(repository: string | undefined, flags: Flags): void {
  const wrong = (message: string, hint: string) => fail("N2F_OPTION_INVALID", message, { hint });
  const { scenario, server, loop, rate } = flags;
  if (scenario !== undefined && server !== undefined) {
    wrong("a scenario starts its own server", "Leave --server away, or --scenario.");
  }
  if (scenario === undefined && (server === undefined) === (repository === undefined)) {
    wrong("one server is wanted", "Give a repository, --server HOST:PORT, or a --scenario.");
  }
  if (scenario === "scale-out" && repository !== undefined) {
    wrong("the scenario scale-out has its own model", "Leave the repository away.");
  }
  if (server !== undefined && !/^[^:]+:\d+$/.test(server)) {
    wrong(`"${server}" is no address`, "Give it as --server HOST:PORT.");
  }
  if ((loop === "open") !== (rate !== undefined)) {
    wrong("--loop open and --rate belong together", "Give both, or neither for a closed loop.");
  }
  if (scenario !== undefined && loop === "open") {
    wrong("scenarios are closed loops", "Leave --loop and --rate away.");
  }
}

async function outcomeOf(
  repository: string | undefined,
  flags: Flags,
  output: Output,
): Promise<Outcome> {
  const common = {
    protocol: flags.protocol,
    warmupMs: flags.warmup * 1000,
    measureMs: flags.seconds * 1000,
    onProgress: (step: string) => output.progress(step),
  };
  if (flags.scenario === "scale-out") return scaleOut(flags, common);
  if (flags.scenario === undefined) return anyServer(repository, flags, common);
  return withFacile(repository, flags, output, async (example) => {
    const plan = {
      ...common,
      ...example,
      device: flags.device,
      ...(flags.threads !== undefined && { threads: flags.threads }),
      rows: flags.batch ?? 16_000,
    };
    return flags.scenario === "facile" ? facile(flags, plan) : comparison(flags, plan);
  });
}

type Common = Parameters<typeof import("../bench/index.ts").runScaleOut>[0] extends infer P
  ? Omit<P, "clients" | "rttsMs">
  : never;

async function scaleOut(flags: Flags, common: Common): Promise<Outcome> {
  const { runScaleOut } = await import("../bench/index.ts");
  const report = await runScaleOut({
    ...common,
    clients: flags.clients ?? [1, 2, 4, 6, 8, 10, 15, 20, 30, 40, 50, 70, 100],
    rttsMs: flags.rtt ?? [60, 10],
  });
  return {
    document: { scenario: "scale-out", ...report },
    content: {
      title: "Scale-out: one device, many clients",
      summary: `Each client has one image of ${report.requestBytes.toLocaleString("en")} bytes on the way at a time; the device takes ${report.serviceMs} ms for each and computes nothing. One client without a proxy sees a median of ${report.direct.latency.p50Ms.toFixed(2)} ms.`,
      findings: report.findings,
      curves: report.curves,
      deviceRate: 1000 / report.serviceMs,
    },
  };
}

type FacilePlan = Omit<
  Parameters<typeof import("../bench/index.ts").runFacile>[0],
  "clients" | "rttsMs"
>;

async function facile(flags: Flags, plan: FacilePlan): Promise<Outcome> {
  const { runFacile } = await import("../bench/index.ts");
  const report = await runFacile({
    ...plan,
    clients: flags.clients ?? [1, 2, 4, 8],
    rttsMs: flags.rtt ?? [0],
  });
  return {
    document: { scenario: "facile", ...report },
    content: {
      title: `${report.model}: ${report.rows.toLocaleString("en")} rows a request`,
      summary: `Requests of ${report.requestBytes.toLocaleString("en")} bytes to the device ${plan.device}; every answer is compared with predict, bit for bit. At best ${Math.round(report.rowsPerSecond).toLocaleString("en")} rows a second.`,
      findings: report.findings,
      curves: report.curves,
    },
  };
}

async function comparison(flags: Flags, plan: FacilePlan): Promise<Outcome> {
  const { runComparison } = await import("../bench/index.ts");
  const rows = await runComparison({ ...plan, rttsMs: flags.rtt ?? [0, 10, 60] });
  return {
    document: { scenario: "table", rows },
    content: {
      title: "Direct and as a service",
      summary:
        "Latency is the median of a request that is alone. Throughput is of one caller where it is direct, and of as many clients as saturate it where it is a service.",
      findings: [],
      curves: [],
      comparison: rows,
    },
  };
}

/** The given bundle, or the example's, compiled for the occasion. */
async function withFacile<T>(
  bundle: string | undefined,
  { inputs }: Flags,
  output: Output,
  work: (given: { bundle: string; inputs?: string }) => Promise<T>,
): Promise<T> {
  if (bundle !== undefined) return work({ bundle, ...(inputs !== undefined && { inputs }) });
  const { packagePath } = await import("../tools/index.ts");
  const { compile } = await import("../compile.ts");
  const { loadConfig } = await import("../config/index.ts");
  const example = (...parts: string[]) => packagePath("examples", "02-facile", ...parts);
  const folder = mkdtempSync(join(tmpdir(), "nn2fpga-bench-"));
  try {
    output.progress("compiling the example 02-facile");
    const place = join(folder, "facile.n2f");
    compile(example("model.onnx"), place, {
      config: loadConfig(example("config.yaml"), {}),
      calibration: [example("data", "calibration.npy")],
    });
    return await work({ bundle: place, inputs: inputs ?? example("data", "test_features.npy") });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function anyServer(
  repository: string | undefined,
  flags: Flags,
  common: Common,
): Promise<Outcome> {
  const { anyRequest, prepareRequest, startServerProcess, sweep } = await import(
    "../bench/index.ts"
  );
  const own: ServerProcess | undefined =
    repository === undefined
      ? undefined
      : await startServerProcess({
          repository,
          device: flags.device,
          ...(flags.threads !== undefined && { threads: flags.threads }),
        });
  try {
    const address = own?.addresses[flags.protocol] ?? (flags.server as string);
    const model = flags.model ?? onlyModel(own);
    const inputs = await anyRequest(flags.protocol, address, model, flags.batch ?? 1);
    const request = prepareRequest(flags.protocol, model, inputs);
    const loop: Loop =
      flags.rate === undefined
        ? { kind: "closed" }
        : { kind: "open", ratePerSecond: flags.rate, seed: flags.seed };
    const curves = await sweep({
      ...common,
      address,
      request,
      loop,
      clients: flags.clients ?? [1, 2, 4, 8],
      rttsMs: flags.rtt ?? [0],
      ...(own !== undefined && { serverCpuMs: own.cpuMs }),
    });
    const how =
      loop.kind === "closed"
        ? "each asks again when it has its answer"
        : `${loop.ratePerSecond} requests arrive a second`;
    return {
      document: { model, address, loop, requestBytes: request.body.length, curves },
      content: {
        title: `Load on ${model}`,
        summary: `Requests of ${request.body.length.toLocaleString("en")} bytes; ${how}.`,
        findings: [],
        curves,
      },
    };
  } finally {
    await own?.stop();
  }
}

function onlyModel(server: ServerProcess | undefined): string {
  const models = server?.models ?? [];
  if (models.length === 1) return models[0];
  return fail(
    "N2F_OPTION_INVALID",
    models.length === 0 ? "no model is named" : `there are several models: ${models.join(", ")}`,
    { hint: "Choose one with --model NAME." },
  );
}

function writePage(path: string, page: string): void {
  try {
    writeFileSync(path, page);
  } catch (cause) {
    fail("N2F_FILE_WRITE", `the report cannot be written: ${(cause as Error).message}`, {
      at: path,
      cause,
    });
  }
}

async function print(
  output: Output,
  { title, summary, curves, findings, comparison: rows }: ReportContent,
) {
  output.line(title);
  output.line(summary);
  for (const curve of curves) await printCurve(output, curve);
  if (rows !== undefined) await printComparison(output, rows);
  if (findings.length > 0) printFindings(output, findings);
}

async function printCurve(output: Output, { rttMs, measuredRttMs, points }: Curve): Promise<void> {
  const { pointCells, pointColumns } = await import("../bench/index.ts");
  output.line();
  output.line(
    rttMs === 0 ? "without a proxy" : `RTT ${rttMs} ms (measured ${measuredRttMs.toFixed(2)} ms)`,
  );
  output.table(
    pointColumns.map((title) => ({ title, isNumber: true })),
    points.map(pointCells),
  );
  for (const { clients, errorKinds } of points) {
    for (const [message, count] of Object.entries(errorKinds)) {
      output.warn(`${clients} clients: ${count} times ${message}`);
    }
  }
}

async function printComparison(output: Output, rows: readonly ComparisonRow[]): Promise<void> {
  const { comparisonCells, comparisonColumns } = await import("../bench/index.ts");
  output.line();
  output.table(
    comparisonColumns.map((title, i) => ({ title, isNumber: i >= 4 })),
    rows.map(comparisonCells),
  );
}

function printFindings(output: Output, findings: readonly Finding[]): void {
  output.line();
  output.table(
    [{ title: "" }, { title: "figure" }, { title: "measured" }, { title: "wanted" }],
    findings.map(({ name, value, wanted, isMet }) => [
      isMet ? "met" : "NOT MET",
      name,
      value,
      wanted,
    ]),
  );
}
