import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import {
  bundlePaths,
  checkBundlePlace,
  type Manifest,
  manifestVersion,
  type PortTensor,
  type Resources,
  WeightsWriter,
  writeBundle,
} from "./artifact/index.ts";
import { fail } from "./base/index.ts";
import { chooseWidths, type PrecisionReport, toInt8 } from "./choose-widths.ts";
import type { CompileConfig } from "./config/index.ts";
import type { Design, LayerPlan, LoopPlan, SlowestNode } from "./design/index.ts";
import { emitSimulation } from "./emit/sim/index.ts";
import { emitVerilog } from "./emit/verilog/index.ts";
import {
  evaluate,
  type Graph,
  getValue,
  printGraph,
  type RemainingTranspose,
  remainingTransposes,
  type ValueId,
  workOf,
} from "./ir/index.ts";
import {
  declareInput,
  decodeModel,
  importModel,
  type OnnxModel,
  splitModel,
} from "./onnx/index.ts";
import { ops } from "./ops/index.ts";
import { type Pass, runPasses } from "./passes/index.ts";
import { defaultTarget, planHardware } from "./plan-design.ts";
import {
  type CalibrationData,
  calibrate,
  calibrationCount,
  type FormatRow,
  feedOf,
  formatTable,
  isQuantizedModel,
  loadCalibrationData,
  partlyQuantized,
  type QuantizedGraph,
} from "./quantize/index.ts";
import { packSamples } from "./runtime/index.ts";
import type { LayerFolding } from "./schedule/index.ts";
import { readBytes, type Tensor } from "./tensor/index.ts";
import { packagePath, packageVersion } from "./tools/index.ts";
import { type FloatError, oraclePackets } from "./verify/index.ts";

export interface CompileOptions {
  readonly config: CompileConfig;
  /** Data files for calibration; without any, seeded standard-normal numbers stand in. */
  readonly calibration: readonly string[];
  /** Of the network and its modules. Default: the bundle's folder without `.n2f`. */
  readonly name?: string;
  /** Compiles only up to this value of the model; the rest travels in the bundle, for a processor to run. */
  readonly until?: string;
  readonly onProgress?: (step: string) => void;
  readonly afterPass?: (pass: Pass, graph: Graph) => void;
}

/** The document of `compile --json`, and of `report/compile.json` in the bundle. */
export interface CompileSummary {
  readonly name: string;
  readonly architecture: "parallel" | "stream";
  readonly clockMhz: number;
  readonly maxLevels: number;
  readonly reuse: number;
  /** What was asked of a stream, and what became of its layers. */
  readonly stream?: {
    readonly target: string;
    readonly targetFps?: number;
    readonly asked: Readonly<Record<string, LayerFolding>>;
    readonly layers: readonly LayerPlan[];
    readonly slowest: SlowestNode;
    readonly loops: readonly LoopPlan[];
  };
  /** Reuse factors that differ, by layer. */
  readonly layerReuse: Readonly<Record<string, number>>;
  readonly latencyCycles: number;
  readonly latencyNs: number;
  readonly intervalCycles: number;
  readonly inferencesPerSecond: number;
  readonly resources: Resources;
  readonly formats: readonly FormatRow[];
  /** Transposes that could not vanish, with what they buffer. */
  readonly transposes: readonly RemainingTranspose[];
  readonly calibration: {
    readonly source: string;
    readonly samples: number;
    readonly method: string;
  };
  /** The quantized network against the float one, on some of the calibration data. */
  readonly float: FloatError;
  /** What was done because few bits were asked for, and what it gained. */
  readonly improvement?: string;
  /** Where `--precision auto` was asked for. */
  readonly search?: PrecisionReport;
  readonly warnings: readonly string[];
}

/** Everything that a compilation decides before anything is written. */
export interface Plan {
  readonly name: string;
  readonly quantized: QuantizedGraph;
  readonly design: Design;
  readonly data: CalibrationData;
  readonly inputs: readonly PortTensor[];
  readonly outputs: readonly PortTensor[];
  /** The emulator's WebAssembly module. */
  readonly emulator: Uint8Array;
  /** The model that was compiled: an ONNX file; and what follows it, where it was split. */
  readonly model: Uint8Array;
  readonly rest?: Uint8Array;
  readonly hasExternalData: boolean;
  /** The search's error and cost by layer, as SVG. */
  readonly precisionPicture?: string;
  readonly summary: CompileSummary;
}

/** Operations that the slow oracle may spend on golden answers. */
const oracleBudget = 1_000_000;
/** Operations of the float graph, for the error figure. */
const floatBudget = 1_000_000_000;
/** Inferences of float data that travel with a bundle, at most, and bytes. */
const sampleLimit = 1024;
const sampleLimitBytes = 4 << 20;

/**
 * The whole way from a model to a hardware plan; nothing is written.
 *
 * @throws Nn2fpgaError for whatever is wrong with the model, the data or the options
 */
export function planModel(modelPath: string, options: CompileOptions): Plan {
  const { config, onProgress = () => {} } = options;
  onProgress("reading the model");
  const bytes = readBytes(modelPath);
  const { until } = options;
  const halves = until === undefined ? { front: bytes } : splitModel(bytes, modelPath, until);
  const model = decodeModel(halves.front, modelPath);
  const name = moduleName(options.name ?? basename(modelPath, extname(modelPath)), modelPath);
  const imported = importModel(model);
  const rest = "rest" in halves ? restOf(halves.rest, model, imported) : undefined;
  onProgress("simplifying the graph");
  const graph = runPasses(imported, ops, options.afterPass && { after: options.afterPass });
  onProgress("calibrating");
  const data = loadCalibrationData(graph, options.calibration);
  const calibrated = calibrationCount(graph, data);
  const seen: Float64Array[][] = [];
  const statistics = calibrate(graph, ops, data, (values) => seen.push(outputsOf(graph, values)));
  const expected = floatOutputs(graph, data, seen);
  const network = { name, graph, statistics, data, expected };
  const chosen = chooseWidths(config.isInt8 ? toInt8(network) : network, config, onProgress);
  onProgress("scheduling");
  const before = { ...chosen, graph: chosen.quantized.graph };
  const planned = planHardware(before, `${name}_top`, config.schedule, onProgress);
  const { design, inputs, outputs } = planned;
  const quantized = { ...chosen.quantized, graph: planned.graph };
  const { float } = chosen;
  const warnings = [...model.warnings.map((problem) => problem.message), ...chosen.warnings];
  const { chosen: formats } = chosen.quantized;
  if (options.calibration.length === 0 && formats.some(({ of }) => of !== "weights")) {
    warnings.push(
      "no calibration data was given: binary points were chosen on standard-normal inputs; use --calibration FILE",
    );
  }
  if (isQuantizedModel(graph) && !config.isInt8) {
    const partly = partlyQuantized(formats);
    if (partly !== undefined) warnings.push(partly);
  }
  const { latencyCycles, intervalCycles, clockMhz, maxLevels, reuse } = design;
  const summary: CompileSummary = {
    name,
    architecture: design.architecture,
    clockMhz,
    maxLevels,
    reuse,
    layerReuse: Object.fromEntries(config.schedule.layerReuse),
    latencyCycles,
    latencyNs: (latencyCycles * 1000) / clockMhz,
    intervalCycles,
    inferencesPerSecond: Math.round((clockMhz * 1e6) / intervalCycles),
    resources: planned.resources,
    ...streamSummary(design, config),
    formats: formatTable(quantized.graph),
    transposes: remainingTransposes(quantized.graph),
    calibration: { source: data.source, samples: calibrated, method: config.quantize.method },
    float,
    ...(chosen.improvement !== undefined && { improvement: chosen.improvement }),
    ...(chosen.search && { search: chosen.search }),
    warnings,
  };
  return {
    name,
    quantized,
    design,
    data,
    inputs,
    outputs,
    emulator: planned.emulator,
    model: halves.front,
    ...(rest !== undefined && { rest }),
    hasExternalData: model.hasExternalData === true,
    ...(chosen.picture !== undefined && { precisionPicture: chosen.picture }),
    summary,
  };
}

/**
 * Compiles a model into a bundle, which appears whole or not at all.
 *
 * @throws Nn2fpgaError for whatever is wrong with the model, the data, the options or the folder
 */
export function compile(
  modelPath: string,
  folder: string,
  options: CompileOptions,
): CompileSummary {
  const { onProgress = () => {} } = options;
  checkBundlePlace(folder); // before the work, not after it
  const folderName = basename(resolve(folder)).replace(/\.n2f$/, "");
  const planned = planModel(modelPath, { name: folderName, ...options });
  const { name, quantized, design, data, inputs, outputs, emulator, summary } = planned;
  const { graph } = quantized;
  const source = basename(modelPath);
  const generator = `nn2fpga ${packageVersion()}`;
  const files = new Map<string, Uint8Array | string>();

  onProgress("writing Verilog");
  const sources = addVerilog(files, design, { source, generator });
  files.set(bundlePaths.emulator, emulator);
  const weights = new WeightsWriter();
  files.set(bundlePaths.network, printGraph(graph, weights));
  files.set(bundlePaths.weights, weights.bytes());
  onProgress("computing golden answers");
  const count = Math.max(
    1,
    Math.min(data.samples.count, 64, Math.floor(oracleBudget / workOf(graph))),
  );
  const packets = packSamples(data.samples, inputs, count);
  files.set(bundlePaths.goldenInputs, packets);
  files.set(bundlePaths.goldenOutputs, oraclePackets(graph, ops, packets, count, inputs, outputs));
  files.set(bundlePaths.samples, float32Samples(data, inputs));
  // A model that keeps its weights elsewhere would not be whole.
  if (!planned.hasExternalData) files.set(bundlePaths.model, planned.model);
  if (planned.rest !== undefined) files.set(bundlePaths.rest, planned.rest);
  if (planned.precisionPicture !== undefined) {
    files.set(bundlePaths.precisionPicture, planned.precisionPicture);
  }
  files.set(bundlePaths.compileReport, `${JSON.stringify(summary, null, 2)}\n`);

  const { architecture, top, clockMhz, reuse, maxLevels, input, output } = design;
  const { latencyCycles, intervalCycles, resources } = summary;
  const manifest: Omit<Manifest, "files"> = {
    manifestVersion,
    name,
    generator,
    source: { file: source, sha256: createHash("sha256").update(planned.model).digest("hex") },
    inputs,
    outputs,
    kernel: {
      architecture,
      top,
      clockMhz,
      reuse,
      maxLevels,
      inputStream: { beats: input.beats, beatBytes: input.beatBytes },
      outputStream: { beats: output.beats, beatBytes: output.beatBytes },
      predicted: { latencyCycles, intervalCycles },
      resources,
      sources,
    },
  };
  onProgress("writing the bundle");
  writeBundle(folder, { manifest, files });
  return summary;
}

/** Adds everything that simulators and synthesizers read. Gives the order in which they want the sources. */
export function addVerilog(
  files: Map<string, Uint8Array | string>,
  design: Design,
  header: { readonly source: string; readonly generator: string },
): readonly string[] {
  const verilog = emitVerilog(design, header);
  for (const [file, text] of verilog.files) files.set(`${bundlePaths.rtl}/${file}`, text);
  for (const file of verilog.library) {
    files.set(`${bundlePaths.rtl}/${basename(file)}`, readFileSync(packagePath("hw", "rtl", file)));
  }
  for (const [file, text] of emitSimulation(design, header.generator)) files.set(file, text);
  return verilog.sources;
}

/**
 * A name that Verilog and file systems take: letters, digits and single underscores, for Verilator writes two in a row
 * otherwise in the names of its files.
 */
function moduleName(stem: string, at: string): string {
  const name = stem
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/_$/, "")
    .replace(/^(?=\d)/, "n");
  if (/[A-Za-z]/.test(name)) return name;
  return fail("N2F_OPTION_INVALID", `"${stem}" has no letter to name a module by`, {
    at,
    hint: "Give the bundle's folder a name with a letter in it.",
  });
}

function streamSummary(
  design: Design,
  { schedule }: CompileConfig,
): Pick<CompileSummary, "stream"> {
  if (design.architecture !== "stream") return {};
  const { target = defaultTarget, targetFps, layers } = schedule;
  return {
    stream: {
      target,
      ...(targetFps !== undefined && { targetFps }),
      asked: Object.fromEntries(layers ?? []),
      layers: design.layers,
      slowest: design.slowest,
      loops: design.loops,
    },
  };
}

/** The other half of a split model, told what comes in: the first axis is the batch where the model's inputs have one. */
function restOf(rest: Uint8Array, model: OnnxModel, front: Graph): Uint8Array {
  const [{ name, value }] = front.outputs;
  const { shape } = getValue(front, value);
  const hasBatch = model.graph.inputs.some((input) => typeof input.shape?.[0] === "string");
  return declareInput(rest, name, hasBatch && shape[0] === 1 ? ["N", ...shape.slice(1)] : shape);
}

function outputsOf(graph: Graph, values: ReadonlyMap<ValueId, Tensor>): Float64Array[] {
  return graph.outputs.map(({ value }) => values.get(value)?.data as Float64Array);
}

/**
 * What the float graph gives for as many samples as its budget allows: outputs of one inference a row.
 *
 * @param seen the first of them
 */
function floatOutputs(
  graph: Graph,
  { samples }: CalibrationData,
  seen: readonly Float64Array[][],
): Float64Array[][] {
  const affordable = Math.floor(floatBudget / workOf(graph));
  const count = Math.max(1, Math.min(samples.count, sampleLimit, affordable));
  return Array.from(
    { length: count },
    (_, i) => seen[i] ?? outputsOf(graph, evaluate(graph, ops, feedOf(graph, samples, i))),
  );
}

/** Real inputs as float32, input after input within each inference: `verify` asks the float reference. */
function float32Samples({ samples }: CalibrationData, inputs: readonly PortTensor[]): Uint8Array {
  const perInference = inputs.reduce((sum, port) => sum + port.sizeBytes / port.elementBytes, 0);
  const fitting = Math.floor(sampleLimitBytes / (4 * perInference));
  const count = Math.min(samples.count, sampleLimit, Math.max(1, fitting));
  const numbers = new Float32Array(count * perInference);
  for (let i = 0, at = 0; i < count; i++) {
    for (const port of inputs) {
      const size = port.sizeBytes / port.elementBytes;
      const all = samples.data.get(port.name) as Float64Array;
      numbers.set(all.subarray(i * size, (i + 1) * size), at);
      at += size;
    }
  }
  return new Uint8Array(numbers.buffer);
}
