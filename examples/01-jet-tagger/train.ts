// Makes everything in this folder that was trained or simulated: model.onnx, data/ and
// training.json.

import { mkdirSync, writeFileSync } from "node:fs";
import { Random } from "../../src/base/index.ts";
import { compareWithRuntime } from "../training/compare.ts";
import { writeNpy, writeTable } from "../training/npy.ts";
import { encodeMlp } from "../training/onnx-writer.ts";
import { firstRows, measureScaling, standardise, type Table, tabulate } from "../training/table.ts";
import { buildMlp, type LayerPlan, predict, readLayers, trainMlp } from "../training/train.ts";
import { jetKinds, type Particle, simulateJet } from "./jets.ts";
import { describeJet, featureNames } from "./substructure.ts";

const seed = 20190417;
const sizes = { train: 40_000, test: 2_000, calibration: 500 };
const network: readonly LayerPlan[] = [
  { units: 64, activation: "relu" },
  { units: 32, activation: "relu" },
  { units: 32, activation: "relu" },
  { units: 5, activation: "softmax" },
];
const plan = {
  seed: seed + 100,
  epochs: 25,
  batchSize: 128,
  learningRate: 0.002,
  loss: "categoricalCrossentropy",
} as const;

interface Sample {
  readonly features: Table;
  readonly labels: Int32Array;
}

const startedMs = Date.now();
const rawTrain = simulate(sizes.train, seed);
const rawTest = simulate(sizes.test, seed + 1);
const scaling = measureScaling(rawTrain.features);
const train = { ...rawTrain, features: standardise(rawTrain.features, scaling) };
const test = { ...rawTest, features: standardise(rawTest.features, scaling) };
console.log(`simulated ${sizes.train + sizes.test} jets in ${secondsSince(startedMs)} s`);

const model = buildMlp(featureNames.length, network, seed + 200);
await trainMlp(model, train.features, encodeOneHot(train.labels), plan);

const onnx = encodeMlp({
  name: "jet_tagger",
  doc: "Tells gluon, quark, W, Z and top jets apart by their substructure. Trained on simulated toy jets.",
  inputName: "features",
  outputName: "probabilities",
  inputs: featureNames.length,
  layers: readLayers(model, network),
});
const checked = firstRows(test.features, 100);
const difference = await compareWithRuntime(onnx, checked, predict(model, checked));
if (!(difference < 1e-5)) throw new Error(`the exported model is off by ${difference}`);

const confusion = countConfusion(test.labels, predict(model, test.features));
const results = {
  seed,
  rows: sizes,
  network: [featureNames.length, ...network.map(({ units }) => units)],
  training: plan,
  accuracy: {
    train: measureAccuracy(train.labels, predict(model, train.features)),
    test: measureAccuracy(test.labels, predict(model, test.features)),
  },
  kinds: jetKinds,
  confusion,
  features: featureNames.map((name, i) => ({
    name,
    mean: scaling.mean[i],
    deviation: scaling.deviation[i],
  })),
};

mkdirSync(new URL("data/", import.meta.url), { recursive: true });
const calibration = firstRows(train.features, sizes.calibration);
writeTable(new URL("data/test_features.npy", import.meta.url), test.features);
writeTable(new URL("data/calibration.npy", import.meta.url), calibration);
writeNpy(new URL("data/test_labels.npy", import.meta.url), test.labels, [sizes.test]);
writeFileSync(new URL("model.onnx", import.meta.url), onnx);
writeFileSync(new URL("training.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);

console.log("confusion on the test rows: a row per true kind, a column per answer");
console.table(
  Object.fromEntries(
    jetKinds.map((kind, i) => [
      kind,
      Object.fromEntries(jetKinds.map((answer, j) => [answer, confusion[i][j]])),
    ]),
  ),
);
console.log(`accuracy: train ${results.accuracy.train}, test ${results.accuracy.test}`);
console.log(`largest difference to ONNX Runtime: ${difference.toExponential(1)}`);
console.log(`done in ${secondsSince(startedMs)} s`);

/** Jets of all kinds in random order. */
function simulate(count: number, sampleSeed: number): Sample {
  const random = new Random(sampleSeed);
  const labels = new Int32Array(count);
  const features = tabulate(count, featureNames.length, (row) => {
    labels[row] = random.below(jetKinds.length);
    let jet: Particle[];
    do jet = simulateJet(jetKinds[labels[row]], random);
    while (jet.length < 4); // too few for the substructure to be defined
    return describeJet(jet);
  });
  return { features, labels };
}

function encodeOneHot(labels: Int32Array): Table {
  return tabulate(labels.length, jetKinds.length, (row) =>
    jetKinds.map((_, kind) => Number(kind === labels[row])),
  );
}

/** How often jets of kind [i] are taken for kind [j]. */
function countConfusion(labels: Int32Array, answers: Table): number[][] {
  const counts = jetKinds.map(() => jetKinds.map(() => 0));
  labels.forEach((label, row) => {
    const scores = answers.values.subarray(row * answers.columns, (row + 1) * answers.columns);
    counts[label][scores.indexOf(Math.max(...scores))]++;
  });
  return counts;
}

function measureAccuracy(labels: Int32Array, answers: Table): number {
  const right = countConfusion(labels, answers).reduce((sum, counts, i) => sum + counts[i], 0);
  return Number((right / labels.length).toFixed(4));
}

function secondsSince(ms: number): string {
  return ((Date.now() - ms) / 1000).toFixed(1);
}
