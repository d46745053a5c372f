// Runs one example from its model to its answers. What goes to stdout is the same on every machine, except
// that lines on the Verilog are missing where it cannot be simulated; progress goes to stderr.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { availableDevices } from "../../dist/index.js";
import { askCli, commandText, root, shown } from "./cli.js";
import { floatAnswers, readNumbers, sameBytes } from "./data.js";

/**
 * @param {object} example
 * @param {string} example.name folder of the example
 * @param {string} example.input name of the network's input
 * @param {string} example.output name of its output
 * @param {(answers: Float64Array, truth: Float64Array) => string} example.score in words
 */
export async function runExample({ name, input, output, score }) {
  const folder = join(root, "examples", name);
  const work = join(root, "build", name);
  mkdirSync(work, { recursive: true });
  const model = shown(join(folder, "model.onnx"));
  const data = (file) => shown(join(folder, "data", file));
  const bundle = shown(join(work, `${name.replace(/^\d+-/, "")}.n2f`));
  const truth = readNumbers(join(root, data("test_labels.npy"))).data;
  const facts = [];
  let worst = 0;

  const ask = async (...args) => {
    print(`$ ${commandText(args).replaceAll("\n", "\n  ")}`);
    const { code, document } = await askCli(args);
    worst = Math.max(worst, code);
    // A failed comparison still has its report.
    if (code === 0 || document?.backends !== undefined) return document;
    process.exit(code);
  };

  const config = shown(join(folder, "config.yaml"));
  const calibration = ["--calibration", data("calibration.npy")];
  const plan = await ask("compile", model, "-o", bundle, "--config", config, ...calibration);
  const { lut, ff, dsp, bram36 } = plan.resources;
  const { latencyCycles, latencyNs, clockMhz, intervalCycles } = plan;
  facts.push(["latency", `${latencyCycles} cycles, ${latencyNs} ns at ${clockMhz} MHz`]);
  facts.push(["interval", `${intervalCycles} ${intervalCycles === 1 ? "cycle" : "cycles"}`]);
  facts.push(["resources", `${lut} LUT, ${ff} FF, ${dsp} DSP, ${bram36} BRAM36 (estimated)`]);

  const { backends, float, ok } = await ask("verify", bundle);
  facts.push(["oracle", `${backends.oracle.mismatches} mismatches`]);
  for (const [title, result] of [
    ["Verilator", backends.rtl],
    ["Icarus", backends.icarus],
  ]) {
    if (result === undefined) continue;
    const { mismatches, samples, latencyCycles: measured, predictedLatencyCycles } = result;
    const cycles = `latency ${measured} cycles, predicted ${predictedLatencyCycles}`;
    facts.push([title, `${mismatches} mismatches in ${samples} vectors; ${cycles}`]);
  }
  const agreement = backends.rtl
    ? "every bit and every cycle agrees"
    : "the emulator agrees with the oracle; the Verilog was NOT RUN";
  facts.push(["verified", ok ? agreement : "NO: see above"]);
  facts.push(["float error", `SQNR ${float.sqnrDb?.toFixed(1)} dB`]);

  const reference = await floatAnswers(model, data("test_features.npy"), input, output);
  facts.push(["float", score(reference.answers, truth)]);
  let first;
  for (const device of availableDevices()) {
    const answers = shown(join(work, `answers-${device}.npy`));
    const inputs = ["--inputs", data("test_features.npy")];
    await ask("predict", bundle, ...inputs, "--device", device, "--output", answers);
    const isSame = first === undefined || sameBytes(first, answers);
    if (!isSame) worst = Math.max(worst, 3);
    const note = first === undefined ? "" : isSame ? ", the same bits" : ", OTHER BITS";
    facts.push([device, `${score(readNumbers(answers).data, truth)}${note}`]);
    first ??= answers;
  }

  print("");
  const width = Math.max(...facts.map(([title]) => title.length));
  for (const [title, text] of facts) print(`${title.padEnd(width)}  ${text}`);
  process.exitCode = worst;
}

function print(text) {
  process.stdout.write(`${text}\n`);
}
