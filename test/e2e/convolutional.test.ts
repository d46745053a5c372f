import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { packetBytes, unpackTensor } from "../../src/artifact/index.ts";
import { chooseWidths } from "../../src/choose-widths.ts";
import { loadConfig } from "../../src/config/index.ts";
import { emitEmulator } from "../../src/emit/emulator/index.ts";
import { evaluate, type Graph, inputsOf, remainingTransposes } from "../../src/ir/index.ts";
import { importModel, readModel } from "../../src/onnx/index.ts";
import { ops } from "../../src/ops/index.ts";
import { runPasses } from "../../src/passes/index.ts";
import { portsOf } from "../../src/ports-of.ts";
import {
  calibrate,
  defaultQuantizeOptions,
  feedOf,
  gatherStatistics,
  type QuantizedGraph,
  quantizeGraph,
  type Statistics,
} from "../../src/quantize/index.ts";
import { instantiateEmulator, packSamples } from "../../src/runtime/index.ts";
import { readArrays, type Samples } from "../../src/tensor/index.ts";
import { FloatErrorMeter } from "../../src/verify/index.ts";
import { sharedPath } from "../support/shared.ts";

/** Real convolutional networks: imported, quantized, and emulated against their published references. */
const hasShared = sharedPath("corpus", "models") !== undefined;
if (!hasShared) console.warn("../shared is not there: real convolutional networks were NOT tested");

interface Network {
  readonly file: string;
  /** Where transposes may be left. */
  readonly transposes?: readonly string[];
  /** Signal to error at 16 bits, in dB, of the reference outputs; measured figures lie above. */
  readonly sqnrDb: number;
}

const networks: Readonly<Record<string, Network>> = {
  "mnist-cntk-8": { file: "model.onnx", sqnrDb: 80 },
  "mlperf-kws-dscnn": { file: "model.onnx", sqnrDb: 60 },
  "micro-kws-fp32-and-qdq": { file: "fp32.onnx", sqnrDb: 50 },
  "cifar-base-kw": { file: "model.onnx", sqnrDb: 75, transposes: ["input"] },
  "hls4ml-jet-conv1d": { file: "model.onnx", sqnrDb: 50 },
  "espcn-x2-float-and-qonnx": {
    file: "float.onnx",
    sqnrDb: 75,
    transposes: ["input", "output"],
  },
  "yunet-s-face-320": { file: "model.onnx", sqnrDb: 60, transposes: ["input"] },
};

const readGraph = (path: string): Graph => runPasses(importModel(readModel(path)), ops);

/** All inputs and reference outputs that are published with a model. */
function references(id: string, file: string) {
  const folder = sharedPath("corpus", "models", id, file) as string;
  const inside = file === "model.onnx" ? dirname(folder) : folder.replace(/\.onnx$/, "");
  return readdirSync(inside)
    .filter((name) => name.startsWith("test_data_set"))
    .map((set) => (name: string) => readArrays(join(inside, set, name))[0].tensor);
}

function statisticsOf(graph: Graph, samples: Samples, count: number): Statistics {
  const feeds = Array.from({ length: count }, (_, i) => feedOf(graph, samples, i));
  return gatherStatistics(graph, ops, feeds);
}

/** The emulator's answers, output after output for each sample. */
function emulate(graph: Graph, statistics: Statistics, samples: Samples, widthBits: number) {
  const width = { kind: "width", widthBits } as const;
  return answersOf(
    quantizeGraph(graph, ops, statistics, { ...defaultQuantizeOptions, default: width }),
    samples,
  );
}

function answersOf(quantized: QuantizedGraph, samples: Samples) {
  const ports = portsOf(quantized);
  const module = emitEmulator(quantized.graph, ops, ports.inputs, ports.outputs);
  const packets = packSamples(samples, ports.inputs, samples.count);
  const answers = instantiateEmulator("test", module, ports).run(packets, samples.count);
  const stride = packetBytes(ports.outputs);
  return Array.from({ length: samples.count }, (_, i) =>
    ports.outputs.map((port) => unpackTensor(answers, i * stride + port.offsetBytes, port)),
  );
}

const floatAnswers = (graph: Graph, samples: Samples): Float64Array[][] =>
  Array.from({ length: samples.count }, (_, i) => {
    const values = evaluate(graph, ops, feedOf(graph, samples, i));
    return graph.outputs.map(({ value }) => values.get(value)?.data as Float64Array);
  });

function errorOf(actual: readonly Float64Array[][], expected: readonly Float64Array[][]) {
  const meter = new FloatErrorMeter();
  actual.forEach((outputs, i) => {
    outputs.forEach((output, k) => {
      meter.add(output, expected[i][k]);
    });
  });
  return meter.result();
}

describe.skipIf(!hasShared)("real networks give their published answers", () => {
  it.each(Object.entries(networks))("%s", (id, { file, sqnrDb, transposes = [] }) => {
    const graph = readGraph(sharedPath("corpus", "models", id, file) as string);
    expect(remainingTransposes(graph).map(({ place }) => place)).toEqual(transposes);
    const sets = references(id, file);
    const data = new Map(
      inputsOf(graph).map(({ id: name }, i) => {
        const parts = sets.map((read) => read(`input_${i}.pb`).data);
        return [name as string, Float64Array.from(parts.flatMap((part) => Array.from(part)))];
      }),
    );
    const samples = { count: sets.length, data };
    const expected = sets.map((read) => graph.outputs.map((_, i) => read(`output_${i}.pb`).data));
    const float = errorOf(floatAnswers(graph, samples), expected);
    expect(float.sqnrDb).toBeGreaterThan(120);
    const statistics = statisticsOf(graph, samples, sets.length);
    const fixed = errorOf(emulate(graph, statistics, samples, 16), expected);
    console.info(`${id}: float ${float.sqnrDb} dB, 16 bits ${fixed.sqnrDb} dB`);
    expect(fixed.sqnrDb).toBeGreaterThan(sqnrDb);
  });
});

interface Labelled {
  readonly samples: Samples;
  readonly labels: readonly number[];
}

/** Rows of `label, pixels`. */
function readRows(file: string, pixel: (row: readonly number[], i: number) => number): Labelled {
  const text = readFileSync(sharedPath("corpus", "data", file) as string, "utf8");
  const rows = text
    .trim()
    .split("\n")
    .map((line) => line.split(",").map(Number));
  const data = Float64Array.from(
    rows.flatMap(([, ...pixels]) => pixels.map((_, i) => pixel(pixels, i))),
  );
  return {
    samples: { count: rows.length, data: new Map([["x", data]]) },
    labels: rows.map(([label]) => label),
  };
}

const cifarMean = [0.4914, 0.4822, 0.4465];
const cifarDeviation = [0.2023, 0.1994, 0.201];

/** Files `NAME_CLASS.dat` of int8 features. */
function readKeywords(): Labelled {
  const folder = sharedPath("corpus", "data", "mlperf_tiny", "kws") as string;
  const files = readdirSync(folder).filter((name) => name.endsWith(".dat"));
  const codes = files.flatMap((file) =>
    Array.from(new Int8Array(readFileSync(join(folder, file)))),
  );
  const data = Float64Array.from(codes, (code) => (code - 83) * 0.5847029);
  const labels = files.map((file) => Number(file.match(/_(\d+)\.dat$/)?.[1]));
  return { samples: { count: files.length, data: new Map([["x", data]]) }, labels };
}

const labelled: Readonly<Record<string, () => Labelled>> = {
  "mnist-cntk-8": () => readRows("mnist_test_100.csv", (pixels, i) => pixels[i]),
  "cifar-base-kw": () =>
    readRows("cifar10_test_100.csv", (pixels, i) => {
      // Channels come last in the file and first in the network.
      const [channel, place] = [Math.floor(i / 1024), i % 1024];
      return (pixels[3 * place + channel] / 255 - cifarMean[channel]) / cifarDeviation[channel];
    }),
  "mlperf-kws-dscnn": readKeywords,
};

const greatest = (scores: Float64Array): number =>
  scores.indexOf(scores.reduce((a, b) => Math.max(a, b)));

function accuracy(answers: readonly Float64Array[][], labels: readonly number[]): number {
  return answers.filter(([scores], i) => greatest(scores) === labels[i]).length / labels.length;
}

/** What `compile --precision 8 --calibration FILE` decides: all that is tried for few bits, on some of the data. */
function inEightBits(graph: Graph, samples: Samples, count: number, float: Float64Array[][]) {
  const own = [...samples.data].map(([name, numbers]): [string, Float64Array] => [
    name,
    numbers.slice(0, (numbers.length / samples.count) * count),
  ]);
  const data = { samples: { count, data: new Map(own) }, source: "half of the data" };
  const config = loadConfig(undefined, { precision: "8" });
  const statistics = calibrate(graph, ops, data);
  const network = { name: "test", graph, statistics, data, expected: float.slice(0, count) };
  const { quantized, improvement } = chooseWidths(network, config, () => {});
  return { answers: answersOf(quantized, samples), improvement };
}

describe.skipIf(!hasShared)("accuracy on labelled data", () => {
  it.each(Object.keys(labelled))("%s", (id) => {
    const graph = readGraph(sharedPath("corpus", "models", id, "model.onnx") as string);
    const { samples: read, labels } = labelled[id]();
    const [input] = inputsOf(graph);
    const data = new Map([[input.id as string, read.data.get("x") as Float64Array]]);
    const samples = { count: read.count, data };
    const float = floatAnswers(graph, samples);
    const statistics = statisticsOf(graph, samples, Math.ceil(samples.count / 2));
    const whole = accuracy(float, labels);
    const sixteen = emulate(graph, statistics, samples, 16);
    const count = Math.ceil(samples.count / 2);
    const { answers: eight, improvement } = inEightBits(graph, samples, count, float);
    const agreement = errorOf(sixteen, float).argmaxAgreement;
    console.info(
      `${id}: float ${whole}, 16 bits ${accuracy(sixteen, labels)} (agreement ${agreement}), 8 bits ${accuracy(eight, labels)}; ${improvement ?? "plain"}`,
    );
    expect(agreement).toBeGreaterThanOrEqual(0.99);
    expect(accuracy(eight, labels)).toBeGreaterThanOrEqual(whole - 0.01 - 1e-9);
  });
});
