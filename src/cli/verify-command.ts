import { Command } from "commander";
import { fail } from "../base/index.ts";
import type { RtlComparison } from "../verify/index.ts";
import { type FullReport, verify } from "../verify-bundle.ts";
import { integer } from "./options.ts";
import { decibel, Output, percent, short } from "./output.ts";

interface Flags {
  readonly samples: number;
  readonly seed: number;
  readonly selfCheck?: boolean;
  readonly json?: boolean;
}

export function verifyCommand(): Command {
  return new Command("verify")
    .description(
      "compares all back ends bit for bit and cycle for cycle, and the float network beside them",
    )
    .argument("<bundle>", "folder that `compile` wrote")
    .option("--samples <n>", "vectors to compare on, at least", integer(1, 100_000_000), 1000)
    .option("--seed <n>", "of random vectors and stalls", integer(0, 2 ** 31 - 1), 1)
    .option(
      "--self-check",
      "also plant a wrong weight bit and a broken handshake, which must be seen",
    )
    .option("--json", "one JSON document on stdout")
    .action((bundle: string, flags: Flags) => run(bundle, flags));
}

async function run(folder: string, flags: Flags): Promise<void> {
  const output = new Output(flags.json === true);
  const report = await verify(folder, {
    samples: flags.samples,
    seed: flags.seed,
    selfCheck: flags.selfCheck === true,
    onProgress: (step) => output.progress(step),
  });
  output.done();
  output.document(report);
  printReport(output, report);
  const { rtl, icarus } = report.backends;
  const rates = Object.entries({ Verilator: rtl, Icarus: icarus }).flatMap(([name, result]) =>
    result === undefined ? [] : [`${short(result.inferencesPerSecond)} (${name})`],
  );
  if (rates.length > 0) output.note(`simulated inferences a second: ${rates.join(", ")}`);
  for (const [backend, reason] of Object.entries(report.skipped)) {
    output.warn(`${backend} was NOT run: ${reason}`);
  }
  if (!report.ok) {
    fail("N2F_COMPARE_MISMATCH", "the back ends do not agree", {
      at: folder,
      hint: "The report above names the first number that differs; please report it with the model.",
    });
  }
}

function printReport(output: Output, report: FullReport): void {
  const { backends, float, vectors } = report;
  output.line(
    `${report.name}: ${report.samples} vectors (${vectors.golden} golden, ${vectors.samples} samples, ${vectors.corner} corners, ${vectors.random} random)`,
  );
  output.line();
  output.table(
    [
      { title: "back end" },
      { title: "vectors", isNumber: true },
      { title: "mismatches", isNumber: true },
      { title: "latency", isNumber: true },
      { title: "predicted", isNumber: true },
      { title: "interval", isNumber: true },
      { title: "predicted", isNumber: true },
    ],
    [
      [
        "oracle",
        String(backends.oracle.samples),
        String(backends.oracle.mismatches),
        "",
        "",
        "",
        "",
      ],
      ...simulationRow("Verilog (Verilator)", backends.rtl),
      ...simulationRow("Verilog (Icarus)", backends.icarus),
    ],
  );
  for (const [name, result] of Object.entries(backends)) {
    if (result.first === undefined) continue;
    const { inference, output: port, element, expected, actual } = result.first;
    output.line(
      `  first difference (${name}): inference ${inference}, ${port}[${element}]: ${actual} instead of ${expected}`,
    );
  }
  for (const violation of [
    ...(backends.rtl?.violations ?? []),
    ...(backends.icarus?.violations ?? []),
  ]) {
    output.line(`  handshake: ${violation}`);
  }
  if (float !== null) {
    output.line();
    output.pairs([
      ["float reference", float.reference],
      [
        "error",
        `${short(float.maxAbsError)} at most, ${short(float.meanAbsError)} on average, SQNR ${decibel(float.sqnrDb)}`,
      ],
      ...(float.argmaxAgreement === null
        ? []
        : [["argmax agreement", argmaxText(float.argmaxAgreement, float.samples)] as const]),
    ]);
    if (float.layers.length > 0) {
      output.line();
      output.table(
        [
          { title: "value" },
          { title: "max error", isNumber: true },
          { title: "mean error", isNumber: true },
          { title: "SQNR", isNumber: true },
        ],
        float.layers.map((layer) => [
          layer.name,
          short(layer.maxAbsError),
          short(layer.meanAbsError),
          decibel(layer.sqnrDb),
        ]),
      );
    }
  }
  for (const { fault, caught, evidence } of report.selfCheck ?? []) {
    output.line(`  planted: ${fault}: ${caught ? "caught" : "NOT CAUGHT"} (${evidence})`);
  }
  output.line();
  output.line(
    !report.ok
      ? "THE BACK ENDS DIFFER"
      : backends.rtl === undefined
        ? "the emulator agrees with the oracle in every bit; the Verilog was not run"
        : "all that ran agrees in every bit and every cycle",
  );
}

function argmaxText(share: number, samples: number): string {
  return `${percent(share)} of ${samples} samples`;
}

function simulationRow(title: string, result: RtlComparison | undefined): string[][] {
  if (result === undefined) return [[title, "-", "not run", "", "", "", ""]];
  return [
    [
      title,
      String(result.samples),
      String(result.mismatches),
      String(result.latencyCycles),
      String(result.predictedLatencyCycles),
      String(result.intervalCycles),
      String(result.predictedIntervalCycles),
    ],
  ];
}
