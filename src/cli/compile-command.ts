import { resolve } from "node:path";
import { Command } from "commander";
import { type PrecisionReport, targetText } from "../choose-widths.ts";
import { type CompileSummary, compile } from "../compile.ts";
import { loadConfig } from "../config/index.ts";
import type { LayerPlan, LoopPlan, SlowestNode } from "../design/index.ts";
import { printGraph } from "../ir/index.ts";
import { addPlanOptions, checkPlanFlags, type PlanFlags } from "./options.ts";
import { decibel, Output, percent, short } from "./output.ts";

interface Flags extends PlanFlags {
  readonly output: string;
  readonly json?: boolean;
  readonly until?: string;
  readonly printAfter?: string;
}

export function compileCommand(): Command {
  const command = new Command("compile")
    .description(
      "the whole way from a model to a bundle: Verilog, emulator, golden vectors, report",
    )
    .argument("<model>", "ONNX file")
    .requiredOption(
      "-o, --output <folder>",
      "the bundle to write, NAME.n2f by custom; appears whole or not at all",
    );
  return addPlanOptions(command)
    .option(
      "--until <value>",
      "compile only up to this value of the model; the rest goes into the bundle as source/rest.onnx, for a processor",
    )
    .option(
      "--print-after <pass>",
      "print the graph's text form after a pass to stderr; `all` for each",
    )
    .option("--json", "one JSON document on stdout")
    .action((model: string, flags: Flags) => run(model, flags));
}

function run(model: string, flags: Flags): void {
  const output = new Output(flags.json === true);
  const summary = compile(model, flags.output, {
    config: loadConfig(flags.config, checkPlanFlags(flags)),
    calibration: flags.calibration ?? [],
    ...(flags.until !== undefined && { until: flags.until }),
    onProgress: (step) => output.progress(step),
    afterPass: (pass, graph) => {
      if (flags.printAfter !== pass.name && flags.printAfter !== "all") return;
      process.stderr.write(`# after ${pass.name}: ${pass.description}\n${printGraph(graph)}`);
    },
  });
  output.done();
  for (const warning of summary.warnings) output.warn(warning);
  output.document({ bundle: resolve(flags.output), ...summary });
  printSummary(output, summary, flags.output);
}

/** What a user wants to know of a compiled network. */
export function printSummary(output: Output, summary: CompileSummary, folder: string): void {
  const { latencyCycles, latencyNs, intervalCycles, clockMhz, resources, float } = summary;
  output.line(`${summary.name}: ${summary.architecture} architecture at ${clockMhz} MHz`);
  output.line();
  output.table(
    [
      { title: "value" },
      { title: "operator" },
      { title: "shape" },
      { title: "format" },
      { title: "codes" },
    ],
    summary.formats.map((row) => [
      row.name,
      row.op,
      `[${row.shape.join(",")}]`,
      row.format,
      `${row.codes[0]} .. ${row.codes[1]}`,
    ]),
  );
  if (summary.stream !== undefined) printFolding(output, summary);
  output.line();
  output.pairs([
    ["latency", `${latencyCycles} cycles, ${short(latencyNs)} ns`],
    [
      "interval",
      `${intervalCycles} cycle${intervalCycles === 1 ? "" : "s"}, ${short(summary.inferencesPerSecond / 1e6)} M inferences/s`,
    ],
    ...transposeLines(summary),
    ["registers", `every ${summary.maxLevels} levels of logic at most`],
    [
      "resources",
      `${resources.lut} LUT, ${resources.ff} FF, ${resources.dsp} DSP, ${resources.bram36} BRAM36 (estimated)`,
    ],
    [
      "float error",
      `${short(float.maxAbsError)} at most, ${short(float.meanAbsError)} on average, SQNR ${decibel(float.sqnrDb)}`,
    ],
    ...(float.argmaxAgreement === null
      ? []
      : [["argmax", agreement(float.argmaxAgreement, float.samples)] as const]),
    [
      "calibration",
      `${summary.calibration.source} (${summary.calibration.samples} samples, ${summary.calibration.method})`,
    ],
    ...(summary.improvement === undefined ? [] : [["few bits", summary.improvement] as const]),
    ["bundle", folder],
  ]);
  if (summary.search !== undefined) printSearch(output, summary.search);
}

/** How each layer of a stream is folded, and which of them sets the pace. */
function printFolding(
  output: Output,
  { stream, intervalCycles }: Pick<CompileSummary, "stream" | "intervalCycles">,
): void {
  const layers = stream?.layers ?? [];
  const whole = (x: number) => String(Math.round(x * 10) / 10);
  output.line();
  output.table(
    [
      { title: "layer" },
      ...["PE", "SIMD", "vectors", "cycles", "DSP", "LUT", "BRAM36", "busy"].map((title) => ({
        title,
        isNumber: true,
      })),
    ],
    layers.map(({ origin, pe, simd, rows, cycles, products, multipliers, resources }) => [
      origin.node,
      String(pe),
      String(simd),
      String(rows),
      String(cycles),
      whole(resources.dsp),
      String(Math.round(resources.lut)),
      whole(resources.bram36),
      percent(products / (multipliers * intervalCycles)),
    ]),
  );
  const products = layers.reduce((sum, layer) => sum + layer.products, 0);
  const multipliers = layers.reduce((sum, layer) => sum + layer.multipliers, 0);
  output.line();
  const loops = stream?.loops ?? [];
  const pace =
    roundOf(loops, stream?.targetFps !== undefined) ??
    paceOf(layers, stream?.slowest, intervalCycles);
  const busy = percent(products / (multipliers * intervalCycles));
  const work =
    multipliers === 0 ? "" : `${multipliers} multipliers, busy in ${busy} of the cycles; `;
  output.line(`  ${work}${pace}`);
  for (const loop of loops) output.line(`  ${stepsOf(loop, loops)}`);
}

/** The loop that takes the whole interval, and what makes it shorter. */
function roundOf(loops: readonly LoopPlan[], hasRate: boolean): string | undefined {
  for (const { origin, steps, round } of loops) {
    if (round === undefined) continue;
    const { cycles, productCycles } = round;
    const faster = hasRate ? "A higher --target-fps folds its products less; `" : "`";
    const own = `${faster}LayerName: { ${origin.node}: { Static: false } }\` gives each step a cell`;
    return `the pace is set by ${origin.node}, whose ${steps} steps take ${cycles} cycles each, one after the other: ${productCycles} to multiply, the rest until the state is back. ${own}`;
  }
  return undefined;
}

/** Whether the steps of a recurrent layer share a cell, and why. */
function stepsOf(loop: LoopPlan, all: readonly LoopPlan[]): string {
  const { origin, steps, isShared, why, hint } = loop;
  const own = all.filter((other) => other.origin.node === origin.node);
  const way = own.length > 1 ? `, direction ${own.indexOf(loop) + 1}` : "";
  const cells = isShared ? `one cell for all ${steps} steps` : `a cell for each of ${steps} steps`;
  const reason = why === undefined ? "" : `: ${why}`;
  return `${origin.node} (${origin.type}${way}) has ${cells}${reason}${hint === undefined ? "" : `. ${hint}`}`;
}

/** What takes the whole interval: layers, or something else that stands between them. */
function paceOf(
  layers: readonly LayerPlan[],
  other: SlowestNode | undefined,
  intervalCycles: number,
): string {
  const most = layers.reduce((top, { cycles }) => Math.max(top, cycles), 0);
  const isNearly = (cycles: number) => cycles >= 0.97 * intervalCycles;
  const slowest = layers.filter(({ cycles }) => cycles === most);
  const limiting = [...new Set(slowest.map(({ origin }) => origin.node))].slice(0, 3).join(", ");
  if (layers.length > 0 && isNearly(most))
    return `the pace is set by ${limiting}: ${most} of ${intervalCycles} cycles`;
  const slowestLayer = layers.length > 0 ? `; the slowest layer, ${limiting}, takes ${most}` : "";
  if (other !== undefined && isNearly(other.cycles)) {
    const where = other.origin.node === "" ? "" : ` (${other.origin.node})`;
    return `the pace of ${intervalCycles} cycles is set by "${other.title}"${where}, which is not folded${slowestLayer}`;
  }
  return `the pace of ${intervalCycles} cycles is set by modules that wait for each other${slowestLayer}`;
}

/** What `--precision auto` chose, and what it saves. */
function printSearch(output: Output, search: PrecisionReport): void {
  const { uniform, cost, layers, knobs, trials, target } = search;
  const total = layers.reduce((sum, layer) => sum + layer.cost, 0);
  output.line();
  output.table(
    [
      { title: "layer" },
      { title: "bits" },
      { title: "bit operations", isNumber: true },
      { title: "of cost", isNumber: true },
      { title: "of error", isNumber: true },
    ],
    layers.map((layer) => [
      layer.node,
      layer.widths,
      short(layer.cost),
      percent(layer.cost / Math.max(total, 1)),
      percent(layer.errorShare),
    ]),
  );
  output.line();
  const saved = percent(1 - cost / uniform.cost);
  output.pairs([
    ["target", `${targetText(target)}, met by ${uniform.widthBits} bits throughout`],
    [
      "cost",
      `${short(cost)} bit operations, ${saved} less than those of ${uniform.widthBits} bits`,
    ],
    [
      "search",
      `${knobs.length} widths, ${trials} networks quantized and measured; binary points by ${search.method}`,
    ],
  ]);
}

function agreement(share: number, samples: number): string {
  return `the same as the float network's in ${percent(share)} of ${samples} samples`;
}

/** Transposes inside the network, which buffer a value where it comes element by element. */
function transposeLines({ transposes }: CompileSummary): (readonly [string, string])[] {
  const inside = transposes.filter(({ place }) => place === "inside");
  if (inside.length === 0) return [];
  const bits = inside.reduce((sum, transpose) => sum + (transpose.bits ?? 0), 0);
  const nodes = [...new Set(inside.map(({ node }) => node))].slice(0, 4);
  const more = inside.length > nodes.length ? ", ..." : "";
  const text = `${inside.length} left inside, ${bits} bits: ${nodes.join(", ")}${more}`;
  return [["transposes", text]];
}
