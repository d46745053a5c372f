import { unpackTensor } from "./artifact/index.ts";
import { emitEmulator } from "./emit/emulator/index.ts";
import {
  type ConstValue,
  evaluate,
  type Graph,
  getValue,
  isDense,
  type OpValue,
  rewriteGraph,
  type ValueId,
} from "./ir/index.ts";
import { ops } from "./ops/index.ts";
import { portsOf } from "./ports-of.ts";
import {
  type CalibrationData,
  equalizeChannels,
  feedOf,
  type QuantizedGraph,
} from "./quantize/index.ts";
import { instantiateEmulator, packSamples } from "./runtime/index.ts";
import { makeTensor } from "./tensor/index.ts";

/** Inferences by which channels are compared, at most. */
const sampleLimit = 32;

/** The graph with channels equalised across layers, by what calibration data make of it. */
export function equalize(graph: Graph, data: CalibrationData): Graph {
  const reach = new Map<ValueId, Float64Array>();
  forEachSample(graph, data, (id, numbers, channels) => {
    const known = reach.get(id) ?? new Float64Array(channels);
    for (let i = 0, c = 0; i < numbers.length; i++, c = c + 1 === channels ? 0 : c + 1) {
      const size = Math.abs(numbers[i]);
      if (size > known[c]) known[c] = size;
    }
    reach.set(id, known);
  });
  return equalizeChannels(graph, ops, (id) => reach.get(id));
}

/** Calls back with every value of some inferences, and with the length of its last axis. */
function forEachSample(
  graph: Graph,
  { samples }: CalibrationData,
  visit: (id: ValueId, numbers: Float64Array, channels: number) => void,
): void {
  for (let i = 0; i < Math.min(samples.count, sampleLimit); i++) {
    for (const [id, tensor] of evaluate(graph, ops, feedOf(graph, samples, i))) {
      if (graph.values.get(id)?.kind === "op") visit(id, tensor.data, tensor.shape.at(-1) ?? 1);
    }
  }
}

/**
 * Bias correction: rounding weights and clipping activations moves the mean of each channel; the bias takes
 * it back. Layer by layer from the inputs, so that each sees its argument corrected. Products that share their weights
 * are left as they are.
 *
 * @param quantize quantizes a graph as the user asks
 * @see Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, 2019
 */
export function correctBiases(
  graph: Graph,
  data: CalibrationData,
  quantize: (graph: Graph) => QuantizedGraph,
): Graph {
  const wanted = new Map<ValueId, Float64Array>();
  const count = Math.min(data.samples.count, sampleLimit);
  const readers = new Map<ValueId, number>();
  for (const value of graph.values.values()) {
    const [, w] = value.kind === "op" ? value.args : [];
    if (w !== undefined) readers.set(w, (readers.get(w) ?? 0) + 1);
  }
  const products = [...graph.values.values()].filter((value): value is OpValue => {
    if (!isDense(value, (id) => getValue(graph, id))) return false;
    // The steps of a recurrent layer stay alike, so that one engine can make all of them.
    if ((readers.get(value.args[1]) ?? 0) > 1) return false;
    const [w, bias] = value.args.slice(1).map((id) => getValue(graph, id));
    return w.dtype === "float" && (bias === undefined || bias.kind === "const");
  });
  const names = new Set(products.map(({ id }) => id));
  forEachSample(graph, data, (id, numbers, channels) => {
    if (names.has(id)) addMeans(wanted, id, numbers, channels, count);
  });
  let corrected = graph;
  for (const { id } of products) {
    const means = quantizedMeans(quantize(corrected), id, data, count);
    const target = wanted.get(id);
    if (means === undefined || target === undefined) continue;
    corrected = shiftBias(
      corrected,
      id,
      target.map((mean, c) => mean - means[c]),
    );
  }
  return corrected;
}

/** The means of each channel of a product, over the calibration data, in the emulator. */
function quantizedMeans(
  quantized: QuantizedGraph,
  id: ValueId,
  data: CalibrationData,
  count: number,
): Float64Array | undefined {
  const value = quantized.graph.values.get(id);
  if (value === undefined) return undefined;
  const part = { ...quantized, graph: upTo(quantized.graph, id) };
  const ports = portsOf(part);
  const module = emitEmulator(part.graph, ops, ports.inputs, ports.outputs);
  const packets = packSamples(data.samples, ports.inputs, count);
  const answers = instantiateEmulator("bias", module, ports).run(packets, count);
  const [port] = ports.outputs;
  const means = new Map<ValueId, Float64Array>();
  for (let i = 0; i < count; i++) {
    const numbers = unpackTensor(answers, i * port.sizeBytes, port);
    addMeans(means, id, numbers, value.shape.at(-1) ?? 1, count);
  }
  return means.get(id);
}

/** The part of a graph that one value needs, which becomes its only output. */
function upTo(graph: Graph, id: ValueId): Graph {
  const needed = new Set<ValueId>([id]);
  for (const value of [...graph.values.values()].reverse()) {
    if (value.kind === "op" && needed.has(value.id)) for (const arg of value.args) needed.add(arg);
  }
  const values = [...graph.values].filter(
    ([name, value]) => value.kind === "input" || needed.has(name),
  );
  return { name: graph.name, values: new Map(values), outputs: [{ name: "value", value: id }] };
}

function addMeans(
  means: Map<ValueId, Float64Array>,
  id: ValueId,
  numbers: Float64Array,
  channels: number,
  count: number,
): void {
  const sums = means.get(id) ?? new Float64Array(channels);
  const weight = 1 / ((numbers.length / channels) * count);
  for (let i = 0, c = 0; i < numbers.length; i++, c = c + 1 === channels ? 0 : c + 1) {
    sums[c] += numbers[i] * weight;
  }
  means.set(id, sums);
}

function shiftBias(graph: Graph, id: ValueId, by: Float64Array): Graph {
  return rewriteGraph(graph, ops, (value, { build, args }) => {
    if (value.id !== id) return undefined;
    const [x, w, bias] = args;
    const before = bias === undefined ? undefined : (build.value(bias) as ConstValue).data.data;
    const data = by.map((shift, c) => shift + (before?.[c] ?? 0));
    const made = build.constant(makeTensor([data.length], data), bias ?? `${id}.bias`);
    return build.op(value.op, [x, w, made], value.attrs);
  });
}
