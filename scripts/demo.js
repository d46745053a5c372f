// npm run demo: the jet tagger of the examples, from the trained network to answers, by the same commands
// that a user types. The exit code is that of the worst step.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { availableDevices } from "../dist/index.js";
import { askCli, commandText, root, runCli } from "./lib/cli.js";
import { accuracy, floatAnswers, measureSpeed, readNumbers, sameBytes } from "./lib/data.js";

process.chdir(root);
const example = join("examples", "01-jet-tagger");
const model = join(example, "model.onnx");
const testData = join(example, "data", "test_features.npy");
const folder = join("build", "demo");
const bundle = join(folder, "jet-tagger.n2f");
const wide = 98;

const codes = [];
const started = performance.now();
mkdirSync(folder, { recursive: true });

title("1  Compile the trained network");
line(
  "fixed<W,I> has W bits, I of them above the binary point. Codes are the integers that can occur,",
);
line("proven from the real weights: accumulators are as wide as that, and cannot overflow.");
line("");
const calibration = join(example, "data", "calibration.npy");
const config = join(example, "config.yaml");
await step(["compile", model, "-o", bundle, "--config", config, "--calibration", calibration]);

const devices = availableDevices();
const results = [];
if (codes[0] === 0) {
  title("2  Verify: every back end, bit for bit and cycle for cycle");
  line(
    "Golden, corner and random vectors, with random stalls on both sides of the simulated kernel.",
  );
  line("");
  await step(["verify", bundle]);

  title("3  Predict: 2000 labelled test jets on every device");
  for (const device of devices) await predict(device);
  if (results.length > 0) await summarize();
}
line("");
line(`done in ${((performance.now() - started) / 1000).toFixed(0)} s`);
process.exitCode = Math.max(0, ...codes);

async function step(args) {
  line(`$ ${commandText(args, wide).replaceAll("\n", "\n  ")}`);
  line("");
  codes.push(await runCli(args));
}

async function predict(device) {
  const file = join(folder, `answers-${device}.npy`);
  const args = ["predict", bundle, "--inputs", testData, "--device", device, "--output", file];
  line(`$ ${commandText(args, wide).replaceAll("\n", "\n  ")}`);
  const { code, document } = await askCli(args);
  codes.push(code);
  if (code === 0) results.push({ device, file, ...document });
}

/** What a user wants to know, in one place. */
async function summarize() {
  const labels = readNumbers(join(example, "data", "test_labels.npy")).data;
  const manifest = JSON.parse(readFileSync(join(bundle, "manifest.json"), "utf8"));
  const [input, output] = [manifest.inputs[0].name, manifest.outputs[0].name];
  const float = await floatAnswers(model, testData, input, output);
  line("");
  row("device", "accuracy", "inferences/s", "answers");
  row("-".repeat(14), "-".repeat(8), "-".repeat(12), "-".repeat(40));
  row("float network", percent(accuracy(float.answers, labels)), "", float.name);
  const [first] = results;
  for (const { device, file } of results) {
    const isSame = sameBytes(file, first.file);
    if (!isSame) codes.push(3);
    const note =
      file === first.file ? "" : isSame ? "the same bits" : `OTHER BITS THAN ${first.device}`;
    const answers = readNumbers(file).data;
    const speed = await measureSpeed(device, bundle);
    row(device, percent(accuracy(answers, labels)), rounded(speed), note);
  }
  if (!devices.includes("rtl")) {
    line("  rtl             SKIPPED: Verilator and g++ are not both installed");
  }
  const { predicted, clockMhz } = manifest.kernel;
  const { latencyCycles, intervalCycles } = predicted;
  const rate = rounded((clockMhz * 1e6) / intervalCycles);
  row("FPGA, planned", "", rate, `${latencyCycles} cycles of latency, if it meets ${clockMhz} MHz`);

  title("Where things are");
  entry(bundle, "the bundle: all that follows, and the evidence");
  entry(join(bundle, "rtl", `${manifest.kernel.top}.sv`), "the Verilog, AXI4-Stream in and out");
  entry(join(bundle, "manifest.json"), "names, formats, byte layout, cycles");
  entry(join(bundle, "report", "compile.json"), "the figures of step 1 for programs");
  entry(first.file, "the answers to the test jets");

  title("What to try next");
  hint(`npx nn2fpga verify ${bundle} --self-check`, "plants faults, sees them caught");
  hint("npx nn2fpga inspect YOUR.onnx", "is your network supported?");
  hint("npx nn2fpga compile YOUR.onnx -o your.n2f", "your own network");
  hint(
    "npx nn2fpga compile CNN.onnx -o cnn.n2f --target kv260",
    "a convolutional network, as streams",
  );
  hint(`npx nn2fpga serve ${bundle}`, "for clients that speak to Triton");
  hint("node examples/02-facile/run.js", "the other example");
  hint("npx nn2fpga doctor", "tools found, and missing");
}

function title(text) {
  line("");
  line(`${text} ${"-".repeat(wide - text.length - 1)}`);
  line("");
}

function row(device, share, speed, note) {
  line(`  ${device.padEnd(14)}  ${share.padStart(8)}  ${speed.padStart(12)}  ${note}`.trimEnd());
}

function entry(path, text) {
  line(`  ${path.padEnd(50)}  ${text}`);
}

function hint(command, text) {
  line(`  ${command.padEnd(60)}  ${text}`);
}

/** Two digits, in thousands and millions. */
function rounded(value) {
  const [size, unit] = value >= 1e6 ? [1e6, "M"] : value >= 1e3 ? [1e3, "k"] : [1, ""];
  return `${Number((value / size).toPrecision(2))} ${unit}`.trim();
}

function percent(share) {
  return `${(share * 100).toFixed(2)} %`;
}

function line(text) {
  process.stdout.write(`${text}\n`);
}
