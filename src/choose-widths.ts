import { type PortTensor, packetBytes, unpackTensor } from "./artifact/index.ts";
import { fail, Nn2fpgaError } from "./base/index.ts";
import type { CompileConfig } from "./config/index.ts";
import { emitEmulator } from "./emit/emulator/index.ts";
import { type Graph, getValue, type ValueId, workOf } from "./ir/index.ts";
import { ops } from "./ops/index.ts";
import { runPasses } from "./passes/index.ts";
import { portsOf } from "./ports-of.ts";
import { correctBiases, equalize } from "./post-training.ts";
import {
  type KnobReport,
  type LayerBar,
  type PrecisionTarget,
  planKnobs,
  plotLayers,
  productCosts,
  type SearchResult,
  searchPrecision,
  type Trial,
  type Widths,
} from "./precision/index.ts";
import {
  type CalibrationData,
  type CalibrationMethod,
  calibrate,
  type LayerPrecision,
  type QuantizedGraph,
  type QuantizeOptions,
  quantizeGraph,
  quantizeToInt8,
  type Statistics,
} from "./quantize/index.ts";
import { instantiateEmulator, packSamples } from "./runtime/index.ts";
import { type FloatError, FloatErrorMeter } from "./verify/index.ts";

/** A quantized network with its ports, its emulator, and what the emulator says of its error. */
export interface Quantization {
  readonly quantized: QuantizedGraph;
  readonly inputs: readonly PortTensor[];
  readonly outputs: readonly PortTensor[];
  /** The emulator's WebAssembly module. */
  readonly emulator: Uint8Array;
  readonly float: FloatError;
}

/** A float network, with what is known of its numbers. */
export interface FloatNetwork {
  readonly name: string;
  readonly graph: Graph;
  readonly statistics: Statistics;
  readonly data: CalibrationData;
  /** Outputs for the first samples of the data, output by output. */
  readonly expected: readonly Float64Array[][];
}

export interface ChosenWidths extends Quantization {
  readonly warnings: readonly string[];
  /** What was done for few bits, and what it gained. */
  readonly improvement?: string;
  /** Where a search was asked for: what it found, and a picture of it. */
  readonly search?: PrecisionReport;
  readonly picture?: string;
}

/** The outcome of `--precision auto`. Costs are bit operations of an inference. */
export interface PrecisionReport {
  readonly target: PrecisionTarget;
  readonly trials: number;
  /** How binary points were chosen. */
  readonly method: CalibrationMethod;
  readonly uniform: {
    readonly widthBits: number;
    readonly cost: number;
    readonly float: FloatError;
  };
  readonly cost: number;
  readonly knobs: readonly KnobReport[];
  readonly layers: readonly LayerBar[];
}

/** Share of samples on which the greatest output must be the float network's, where widths are free. */
const wantedAgreement = 0.99;

/**
 * Quantizes as the user asks. Who asks for nothing gets 16 bits, or as many more as it takes to agree with
 * the float network on the greatest output.
 */
export function chooseWidths(
  network: FloatNetwork,
  config: CompileConfig,
  onProgress: (step: string) => void,
): ChosenWidths {
  const attempt = (settings: QuantizeOptions) => quantizeNetwork(network, settings);
  if (config.target !== undefined) {
    return searchWidths(network, config.quantize, config.target, onProgress);
  }
  const share = ({ float }: Quantization) => `${((float.argmaxAgreement ?? 1) * 100).toFixed(1)} %`;
  const agrees = ({ float }: Quantization) => (float.argmaxAgreement ?? 1) >= wantedAgreement;

  onProgress("quantizing");
  const asked = improveFewBits(network, config, attempt, onProgress);
  if (agrees(asked)) return { ...asked, warnings: [] };
  const told = `the greatest output is the float network's for ${share(asked)} of the samples`;
  if (!config.mayWiden) return { ...asked, warnings: [told] };
  for (let widthBits = 18; widthBits <= 24; widthBits += 2) {
    onProgress(`quantizing to ${widthBits} bits`);
    const wider = unlessTooWide(() =>
      attempt({ ...config.quantize, default: { kind: "width", widthBits } }),
    );
    if (wider === undefined) break;
    if (!agrees(wider)) continue;
    const warning = `with 16 bits ${told}, with ${widthBits} bits for ${share(wider)}: ${widthBits} were taken; --precision 16 keeps to 16`;
    return { ...wider, warnings: [warning] };
  }
  return { ...asked, warnings: [`${told}, and no more bits (up to 24) bring it to 99 %`] };
}

/** The network with its products in 8 bits, scales brought together. */
export function toInt8(network: FloatNetwork): FloatNetwork {
  const { graph, statistics, data } = network;
  const quantized = runPasses(quantizeToInt8(graph, ops, statistics), ops);
  return { ...network, graph: quantized, statistics: calibrate(quantized, ops, data) };
}

/** Widths up to which the steps of post-training quantization are tried. */
const fewBits = 8;
/** Multiply-accumulates that the trials of these steps may take in all. */
const improveBudget = 2e10;

/**
 * Where few bits are asked for: tries the ways to choose binary points (unless the user has chosen), channels
 * equalised across layers, and corrected biases, and keeps what lowers the measured error.
 */
function improveFewBits(
  network: FloatNetwork,
  { quantize: settings, improve, mayChooseMethod }: CompileConfig,
  attempt: (settings: QuantizeOptions) => Quantization,
  onProgress: (step: string) => void,
): Quantization & { readonly improvement?: string } {
  const plain = attempt(settings);
  const { graph, data, expected } = network;
  const isAsked = settings.default.kind === "width" && settings.default.widthBits <= fewBits;
  const isSmall = workOf(graph) * expected.length * 10 <= improveBudget;
  if (!improve || !isAsked || !isSmall) return plain;
  const sqnr = ({ float }: Quantization) => float.sqnrDb ?? Infinity;

  let best = { quantization: plain, network, settings, what: [] as string[] };
  const methods: CalibrationMethod[] = mayChooseMethod ? ["mse", "percentile"] : [];
  for (const method of methods) {
    onProgress(`binary points by ${method}`);
    const quantization = attempt({ ...settings, method });
    if (sqnr(quantization) <= sqnr(best.quantization)) continue;
    best = {
      quantization,
      network,
      settings: { ...settings, method },
      what: [`binary points by ${method}`],
    };
  }
  // Layers' options speak of values that would get other names.
  const equal = settings.layers.size === 0 ? equalize(graph, data) : graph;
  if (equal !== graph) {
    onProgress("equalising channels");
    const its = { ...network, graph: equal, statistics: calibrate(equal, ops, data) };
    const quantization = quantizeNetwork(its, best.settings);
    if (sqnr(quantization) > sqnr(best.quantization)) {
      best = {
        ...best,
        quantization,
        network: its,
        what: [...best.what, "channels equalised across layers"],
      };
    }
  }
  onProgress("correcting biases");
  const corrected = correctBiases(best.network.graph, data, (its) =>
    quantizeGraph(its, ops, best.network.statistics, best.settings),
  );
  const quantization = quantizeNetwork({ ...best.network, graph: corrected }, best.settings);
  if (sqnr(quantization) > sqnr(best.quantization)) {
    best = { ...best, quantization, what: [...best.what, "biases corrected"] };
  }
  if (best.what.length === 0) return plain;
  const gain = `SQNR ${sqnr(plain).toFixed(1)} -> ${sqnr(best.quantization).toFixed(1)} dB`;
  return { ...best.quantization, improvement: `${best.what.join(", ")}: ${gain}` };
}

/** Quantizes, and measures the error in the emulator. */
function quantizeNetwork(network: FloatNetwork, settings: QuantizeOptions): Quantization {
  const { name, graph, statistics, data, expected } = network;
  const quantized = quantizeGraph(graph, ops, statistics, settings);
  const ports = portsOf(quantized);
  const emulator = emitEmulator(quantized.graph, ops, ports.inputs, ports.outputs);
  const packets = packSamples(data.samples, ports.inputs, expected.length);
  const answers = instantiateEmulator(name, emulator, ports).run(packets, expected.length);
  return { quantized, ...ports, emulator, float: floatError(answers, ports.outputs, expected) };
}

/** Widths layer by layer that meet a target. @throws N2F_PRECISION_TARGET where none do */
function searchWidths(
  network: FloatNetwork,
  settings: QuantizeOptions,
  target: PrecisionTarget,
  onProgress: (step: string) => void,
): ChosenWidths {
  const { graph } = network;
  const evaluate = (widths: Widths<CalibrationMethod>): Trial<Quantization> | undefined =>
    unlessTooWide(() => {
      const result = quantizeNetwork(network, withWidths(settings, widths));
      const costs = productCosts(result.quantized.graph);
      return {
        sqnrDb: result.float.sqnrDb ?? Infinity,
        agreement: result.float.argmaxAgreement ?? 1,
        cost: costs.reduce((sum, { bitOperations }) => sum + bitOperations, 0),
        result,
      };
    });
  const first = quantizeGraph(
    graph,
    ops,
    network.statistics,
    withWidths(settings, { method: settings.method, default: 8, knobs: new Map() }),
  );
  const methods = [...new Set<CalibrationMethod>([settings.method, "mse", "percentile"])];
  const plan = planKnobs(graph, first.graph, ops);
  const found = searchPrecision({ plan, methods, target, evaluate, onProgress });
  if (found === undefined) {
    const wanted =
      target.kind === "sqnr"
        ? `an SQNR of ${target.decibel} dB`
        : `agreement on ${target.share * 100} % of the samples`;
    return fail("N2F_PRECISION_TARGET", `${wanted} is not met with 24 bits throughout`, {
      at: graph.name,
      hint: "Ask for less, give more bits to function tables (--table-bits), or look at the layers' errors with `verify` at --precision 24.",
    });
  }
  const { uniform, trial, knobs, trials } = found;
  const layers = layerBars(found);
  const search: PrecisionReport = {
    target,
    trials,
    method: found.widths.method,
    uniform: {
      widthBits: uniform.widthBits,
      cost: uniform.trial.cost,
      float: uniform.trial.result.float,
    },
    cost: trial.cost,
    knobs,
    layers,
  };
  const picture = plotLayers(`${network.name}: widths found for ${targetText(target)}`, layers);
  return { ...trial.result, warnings: [], search, picture };
}

export function targetText(target: PrecisionTarget): string {
  return target.kind === "sqnr" ? `${target.decibel} dB SQNR` : `${target.share * 100} % agreement`;
}

/** The options of a search's trial. What the user set for a layer stays. */
function withWidths(
  settings: QuantizeOptions,
  { method, default: widthBits, knobs }: Widths<CalibrationMethod>,
): QuantizeOptions {
  const layers = new Map<string, LayerPrecision>(settings.layers);
  for (const [id, bits] of knobs) {
    const part = id.slice(0, id.indexOf(" "));
    const name = id.slice(id.indexOf(" ") + 1);
    layers.set(name, { [part]: { kind: "width", widthBits: bits }, ...layers.get(name) });
  }
  return { ...settings, method, default: { kind: "width", widthBits }, layers };
}

/** Cost and error of each product: its own, and that of its weights and arguments. */
function layerBars({
  uniform,
  trial,
  knobs,
}: SearchResult<Quantization, CalibrationMethod>): LayerBar[] {
  const before = new Map(
    productCosts(uniform.trial.result.quantized.graph).map((cost) => [cost.value.id, cost]),
  );
  const power = (knob: KnobReport | undefined) => (knob ? 10 ** (-knob.aloneSqnrDb / 10) : 0);
  const total = knobs.reduce((sum, knob) => sum + power(knob), 0);
  const { graph } = trial.result.quantized;
  const knobOf = (id: ValueId) => knobs.find((knob) => knob.value === id);
  return productCosts(graph).map(({ value, widthBits, bitOperations }) => {
    const sides = value.args.slice(0, 2).map((id) => {
      const arg = getValue(graph, id);
      return knobOf(arg.kind === "op" && arg.op === "requantize" ? arg.args[0] : id);
    });
    const own = knobs.find((knob) => knob.part === "weight" && knob.value === value.id);
    const errors = power(own) + sides.reduce((sum, knob) => sum + power(knob), 0);
    return {
      node: value.origin.node,
      widths: widthBits.map((bits) => String(Math.round(bits * 10) / 10)).join(" x "),
      cost: bitOperations,
      uniformCost: before.get(value.id)?.bitOperations ?? 0,
      errorShare: total === 0 ? 0 : errors / total,
    };
  });
}

/** Nothing where accumulators would need more bits than there are: who asked for no width is not to blame. */
function unlessTooWide<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    const isTooWide =
      error instanceof Nn2fpgaError &&
      error.problems.every(({ code }) => code === "N2F_FORMAT_RANGE");
    if (isTooWide) return undefined;
    throw error;
  }
}

function floatError(
  answers: Uint8Array,
  outputs: readonly PortTensor[],
  expected: readonly Float64Array[][],
): FloatError {
  const meter = new FloatErrorMeter();
  const stride = packetBytes(outputs);
  expected.forEach((values, i) => {
    outputs.forEach((port, k) => {
      const at = i * stride + port.offsetBytes;
      meter.add(unpackTensor(answers, at, port), values[k]);
    });
  });
  return meter.result();
}
