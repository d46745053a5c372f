// Makes everything in this folder that was trained or simulated: model.onnx, data/ and
// training.json.

import { mkdirSync, writeFileSync } from "node:fs";
import { Random } from "../../src/base/index.ts";
import { compareWithRuntime } from "../training/compare.ts";
import { writeTable } from "../training/npy.ts";
import { encodeMlp } from "../training/onnx-writer.ts";
import { firstRows, measureScaling, standardise, type Table, tabulate } from "../training/table.ts";
import { buildMlp, type LayerPlan, predict, readLayers, trainMlp } from "../training/train.ts";
import {
  describePulse,
  estimateEnergy,
  featureNames,
  type Pulse,
  simulatePulse,
} from "./calorimeter.ts";

const seed = 20200731;
const sizes = { train: 60_000, test: 2_000, calibration: 500 };
const network: readonly LayerPlan[] = [
  { units: 31, activation: "relu" },
  { units: 11, activation: "relu" },
  { units: 3, activation: "relu" },
  { units: 1, activation: "linear" },
];
const plan = {
  seed: seed + 100,
  epochs: 80,
  batchSize: 128,
  learningRate: 0.004,
  loss: "meanSquaredError",
} as const;

/** Bounds in GeV between which bias and resolution are given. */
const energyBounds = [1, 3, 10, 30, 100, 500];

const startedMs = Date.now();
const trainPulses = simulate(sizes.train, seed);
const testPulses = simulate(sizes.test, seed + 2);
const rawTrain = describe(trainPulses);
const scaling = measureScaling(rawTrain);
const train = {
  features: standardise(rawTrain, scaling),
  targets: encodeEnergies(trainPulses.map(({ energy }) => energy)),
};
const test = {
  features: standardise(describe(testPulses), scaling),
  targets: encodeEnergies(testPulses.map(({ energy }) => energy)),
};
console.log(`simulated ${sizes.train + sizes.test} pulses in ${secondsSince(startedMs)} s`);

const model = buildMlp(featureNames.length, network, seed + 200);
await trainMlp(model, train.features, train.targets, plan);

const onnx = encodeMlp({
  name: "facile",
  doc: "Energy of a calorimeter channel from eight charges, as ln(1 + E / GeV). Trained on simulated toy pulses.",
  inputName: "features",
  outputName: "log_energy",
  inputs: featureNames.length,
  layers: readLayers(model, network),
});
const checked = firstRows(test.features, 100);
const difference = await compareWithRuntime(onnx, checked, predict(model, checked));
if (!(difference < 1e-5)) throw new Error(`the exported model is off by ${difference}`);

const byNetwork = {
  train: decodeEnergies(predict(model, train.features)),
  test: decodeEnergies(predict(model, test.features)),
};
const estimates = testPulses.map((pulse) => Math.max(0, estimateEnergy(pulse)));
const results = {
  seed,
  rows: sizes,
  network: [featureNames.length, ...network.map(({ units }) => units)],
  training: plan,
  target: "ln(1 + E / GeV)",
  meanSquaredError: {
    train: measureError(train.targets, predict(model, train.features)),
    test: measureError(test.targets, predict(model, test.features)),
    testTwoSampleSum: measureError(test.targets, encodeEnergies(estimates)),
  },
  relativeError: {
    train: measureByEnergy(trainPulses, byNetwork.train),
    test: measureByEnergy(testPulses, byNetwork.test),
    testTwoSampleSum: measureByEnergy(testPulses, estimates),
  },
  features: featureNames.map((name, i) => ({
    name,
    mean: scaling.mean[i],
    deviation: scaling.deviation[i],
  })),
};

mkdirSync(new URL("data/", import.meta.url), { recursive: true });
const calibration = firstRows(train.features, sizes.calibration);
writeTable(new URL("data/test_features.npy", import.meta.url), test.features);
writeTable(new URL("data/test_labels.npy", import.meta.url), test.targets);
writeTable(new URL("data/calibration.npy", import.meta.url), calibration);
writeFileSync(new URL("model.onnx", import.meta.url), onnx);
writeFileSync(new URL("training.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);

console.log("relative error of the network, training rows");
console.table(results.relativeError.train);
console.log("relative error of the network, test rows");
console.table(results.relativeError.test);
console.log("relative error of the sum of two samples, test rows");
console.table(results.relativeError.testTwoSampleSum);
const { meanSquaredError } = results;
console.log(
  `mean squared error: train ${meanSquaredError.train}, test ${meanSquaredError.test}, ` +
    `sum of two samples ${meanSquaredError.testTwoSampleSum}`,
);
console.log(`largest difference to ONNX Runtime: ${difference.toExponential(1)}`);
console.log(`done in ${secondsSince(startedMs)} s`);

function simulate(count: number, sampleSeed: number): Pulse[] {
  const random = new Random(sampleSeed);
  return Array.from({ length: count }, () => simulatePulse(random));
}

function describe(pulses: readonly Pulse[]): Table {
  return tabulate(pulses.length, featureNames.length, (row) => describePulse(pulses[row]));
}

/**
 * The logarithm makes an error at 1 GeV weigh about as much as the same relative error at 100 GeV.
 */
function encodeEnergies(energies: readonly number[]): Table {
  return tabulate(energies.length, 1, (row) => [Math.log1p(energies[row])]);
}

function decodeEnergies(targets: Table): number[] {
  return Array.from(targets.values, Math.expm1);
}

function measureError(targets: Table, answers: Table): number {
  const sum = targets.values.reduce((total, y, i) => total + (y - answers.values[i]) ** 2, 0);
  return round(sum / targets.rows);
}

/** Of the relative error: its median (bias) and half the width of its middle 68 % (resolution). */
function measureByEnergy(pulses: readonly Pulse[], estimates: readonly number[]) {
  return energyBounds.slice(1).map((to, i) => {
    const from = energyBounds[i];
    const errors = pulses
      .map(({ energy }, row) => ({ energy, error: estimates[row] / energy - 1 }))
      .filter(({ energy }) => energy >= from && energy < to)
      .map(({ error }) => error)
      .sort((a, b) => a - b);
    const quantile = (q: number) => errors[Math.floor(q * errors.length)];
    return {
      fromGev: from,
      toGev: to,
      rows: errors.length,
      bias: round(quantile(0.5)),
      resolution: round((quantile(0.84) - quantile(0.16)) / 2),
    };
  });
}

function round(x: number): number {
  return Number(x.toFixed(4));
}

function secondsSince(ms: number): string {
  return ((Date.now() - ms) / 1000).toFixed(1);
}
