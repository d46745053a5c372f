import { type Command, InvalidArgumentError } from "commander";
import { fail } from "../base/index.ts";
import type { ConfigFlags } from "../config/index.ts";

/** Reads a whole number within bounds; commander names the option. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`a whole number from ${min} to ${max} is wanted.`);
  };
}

export function real(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`a number from ${min} to ${max} is wanted.`);
  };
}

export function list(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** What `compile` and `inspect` take to decide formats and hardware. */
export interface PlanFlags extends ConfigFlags {
  readonly config?: string;
  readonly calibration?: string[];
}

/** Adds the options that shape a compilation. */
export function addPlanOptions(command: Command): Command {
  return command
    .option("--config <file>", "YAML file in the manner of hls4ml (schema/config.schema.json)")
    .option(
      "--precision <p>",
      "of weights, biases and results: fixed<W,I>, ap_fixed<W,I,RND,SAT>, a width in bits with calibrated points, int8, or auto",
    )
    .option(
      "--target-sqnr <db>",
      "with --precision auto: signal over quantization error that widths are chosen for",
      real(0, 140),
    )
    .option(
      "--target-agreement <percent>",
      "with --precision auto: how often the greatest output must be the float network's",
      real(0, 100),
    )
    .option("--input-precision <p>", "of the network's inputs")
    .option(
      "--output-precision <p>",
      "of the network's outputs; `exact` keeps the whole accumulator",
    )
    .option(
      "--calibration <file>",
      "real inputs (.npy .npz .pb .csv .dat); may be given several times",
      list,
    )
    .option("--calibration-method <m>", "minmax, percentile or mse (least squared error)")
    .option("--percentile <p>", "share of values that must not saturate, in percent", real(50, 100))
    .option(
      "--no-improve",
      "at 8 bits and below: leave out equalisation of channels and correction of biases",
    )
    .option(
      "--reuse <r>",
      "cycles that a matrix product may take; its multipliers are shared",
      integer(1, 1_000_000),
    )
    .option("--architecture <a>", "parallel (unrolled), stream (an engine for each layer), or auto")
    .option(
      "--target <t>",
      "with streams: the device whose budgets hold, a name (kv260, ultra96, zcu104, u250, u55c, pynq-z2, arty-a7-100) or a JSON file",
    )
    .option(
      "--target-fps <n>",
      "with streams: inferences a second, at the least cost",
      real(0.001, 1e9),
    )
    .option("--clock-mhz <f>", "clock to pipeline for", real(1, 2000))
    .option("--max-levels <n>", "levels of logic between two registers", integer(2, 1000))
    .option("--table-bits <n>", "address bits of function tables", integer(4, 16));
}

/** @throws N2F_OPTION_INVALID for a method that does not exist */
export function checkPlanFlags(flags: PlanFlags): PlanFlags {
  const methods = ["minmax", "percentile", "mse"];
  const method = flags.calibrationMethod;
  if (method !== undefined && !methods.includes(method)) {
    fail("N2F_OPTION_INVALID", `there is no calibration method "${method}"`, {
      at: "--calibration-method",
      hint: `Use one of ${methods.join(", ")}.`,
    });
  }
  return flags;
}
