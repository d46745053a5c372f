import { Command } from "commander";
import { readBundle } from "../artifact/index.ts";
import { openDevice, predict } from "../runtime/index.ts";
import { matchSamples, readArrays, shapeText, writeArray, writeArrays } from "../tensor/index.ts";
import { integer } from "./options.ts";
import { Output, short } from "./output.ts";

interface Flags {
  readonly inputs: string;
  readonly output?: string;
  readonly device: string;
  readonly threads?: number;
  readonly json?: boolean;
}

export function predictCommand(): Command {
  return new Command("predict")
    .description("runs data through a device; every device gives the same answers")
    .argument("<bundle>", "folder that `compile` wrote")
    .requiredOption("--inputs <file>", "real inputs: .npy .npz .pb .csv .dat, one row an inference")
    .option(
      "--output <file>",
      "where the answers go: .npy, .npz or .csv; without it they are printed",
    )
    .option("--device <name>", "emulator or rtl", "emulator")
    .option("--threads <n>", "worker threads of the emulator", integer(1, 1024))
    .option("--json", "one JSON document on stdout")
    .action((bundle: string, flags: Flags) => run(bundle, flags));
}

async function run(folder: string, flags: Flags): Promise<void> {
  const output = new Output(flags.json === true);
  const bundle = readBundle(folder);
  const samples = matchSamples(readArrays(flags.inputs), bundle.manifest.inputs, flags.inputs);
  const device = openDevice(flags.device, {
    onProgress: (step) => output.progress(step),
    ...(flags.threads !== undefined && { threads: flags.threads }),
  });
  try {
    const kernel = await device.load(bundle);
    output.progress(`running ${samples.count} inferences`);
    const started = performance.now();
    const results = await predict(kernel, bundle.manifest, samples);
    const seconds = (performance.now() - started) / 1000;
    await kernel.close();
    output.done();
    if (flags.output !== undefined) {
      if (results.length === 1) writeArray(flags.output, results[0].tensor, results[0].elementType);
      else writeArrays(flags.output, results);
    }
    output.document({
      bundle: folder,
      device: flags.device,
      count: samples.count,
      seconds,
      outputs: results.map(({ name, tensor, elementType }) => ({
        name,
        shape: tensor.shape,
        elementType,
        ...(flags.output === undefined && { data: Array.from(tensor.data) }),
      })),
      ...(flags.output !== undefined && { file: flags.output }),
    });
    output.line(
      `${samples.count} inferences on ${flags.device} in ${short(seconds)} s (${short(samples.count / seconds)} /s)`,
    );
    for (const { name, tensor } of results) {
      output.line(
        `  ${name} ${shapeText(tensor.shape)}${flags.output === undefined ? "" : ` -> ${flags.output}`}`,
      );
      if (flags.output === undefined) printRows(output, tensor.data, samples.count);
    }
  } finally {
    await device.close();
  }
}

const printedRows = 10;

function printRows(output: Output, data: Float64Array, count: number): void {
  const size = data.length / Math.max(1, count);
  for (let i = 0; i < Math.min(count, printedRows); i++) {
    const row = Array.from(data.subarray(i * size, (i + 1) * size), (value) => value.toFixed(5));
    output.line(`    ${row.join("  ")}`);
  }
  if (count > printedRows)
    output.line(`    ... ${count - printedRows} more; --output FILE writes them all`);
}
