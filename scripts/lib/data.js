// Answers against the truth: what the examples say of themselves.

import { readFileSync } from "node:fs";
import { openFloatReference } from "../../dist/float-reference.js";
import { openDevice, packetBytes, readArrays, readBundle } from "../../dist/index.js";

/** The numbers of a file with one array, and its shape. */
export function readNumbers(path) {
  const [{ tensor }] = readArrays(path);
  return { data: tensor.data, shape: tensor.shape };
}

/** Share of the rows whose greatest number stands where the label says, 0 to 1. */
export function accuracy(answers, labels) {
  const width = answers.length / labels.length;
  let right = 0;
  labels.forEach((label, row) => {
    const scores = answers.subarray(row * width, (row + 1) * width);
    if (scores.indexOf(Math.max(...scores)) === label) right++;
  });
  return right / labels.length;
}

/** Mean of the squared differences. */
export function meanSquaredError(answers, truth) {
  return truth.reduce((sum, wanted, i) => sum + (answers[i] - wanted) ** 2, 0) / truth.length;
}

/** What the float network answers to every row of a data file. */
export async function floatAnswers(modelPath, dataPath, inputName, outputName) {
  const reference = await openFloatReference(modelPath, []);
  const { data, shape } = readNumbers(dataPath);
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  const rows = [];
  for (let row = 0; row < shape[0]; row++) {
    const tensor = {
      shape: [1, ...shape.slice(1)],
      dtype: "float",
      data: data.subarray(row * width, (row + 1) * width),
    };
    const outputs = await reference.run(new Map([[inputName, tensor]]), [outputName]);
    rows.push(outputs.get(outputName).data);
  }
  const answers = new Float64Array(rows.length * rows[0].length);
  rows.forEach((row, i) => {
    answers.set(row, i * row.length);
  });
  return { name: reference.name, answers };
}

export function sameBytes(a, b) {
  return readFileSync(a).equals(readFileSync(b));
}

/** Inferences that a device makes in a second, once it is warm. */
export async function measureSpeed(name, folder) {
  const bundle = readBundle(folder);
  const stride = packetBytes(bundle.manifest.inputs);
  const golden = bundle.read("golden/inputs.bin");
  const count = 8192;
  const packets = new Uint8Array(count * stride);
  for (let at = 0; at < packets.length; at += golden.length) {
    packets.set(golden.subarray(0, packets.length - at), at);
  }
  const device = openDevice(name);
  const kernel = await device.load(bundle);
  await kernel.run(packets, count);
  const started = performance.now();
  let runs = 0;
  do {
    await kernel.run(packets, count);
    runs++;
  } while (performance.now() - started < 500);
  const seconds = (performance.now() - started) / 1000;
  await kernel.close();
  await device.close();
  return (runs * count) / seconds;
}
