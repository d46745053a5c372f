import { readFileSync } from "node:fs";
import { Ajv, type ErrorObject } from "ajv";
import { parse as parseYaml } from "yaml";
import { fail, Nn2fpgaError } from "../base/index.ts";
import { parsePrecision } from "../fixed/index.ts";
import type { PrecisionTarget } from "../precision/index.ts";
import {
  type CalibrationMethod,
  defaultQuantizeOptions,
  type LayerPrecision,
  type PrecisionRequest,
  type QuantizeOptions,
} from "../quantize/index.ts";
import type { ScheduleOptions } from "../schedule/index.ts";
import { packagePath } from "../tools/index.ts";

/** Everything a user can ask of a compilation, defaults filled in. */
export interface CompileConfig {
  readonly quantize: QuantizeOptions;
  readonly schedule: ScheduleOptions;
  /** The user asked for no precision, so more bits than the default may be taken where they are needed. */
  readonly mayWiden: boolean;
  /** The user asked for no way to choose binary points, so that others may be tried. */
  readonly mayChooseMethod: boolean;
  /** For few bits: equalise channels and correct biases where that lowers the error. */
  readonly improve: boolean;
  /** Products in 8 bits with scales and zero points, as ONNX Runtime's static quantization has them. */
  readonly isInt8: boolean;
  /** Widths are searched for, layer by layer, so that the network comes this close to the float one. */
  readonly target?: PrecisionTarget;
}

/** What the command line says; what is absent follows the file, then the defaults. */
export interface ConfigFlags {
  readonly precision?: string;
  /** With the precision `auto`: signal over quantization error, in dB. */
  readonly targetSqnr?: number;
  /** With the precision `auto`: how often the greatest output is the float network's, in percent. */
  readonly targetAgreement?: number;
  readonly inputPrecision?: string;
  readonly outputPrecision?: string;
  readonly reuse?: number;
  readonly architecture?: string;
  readonly target?: string;
  readonly targetFps?: number;
  readonly clockMhz?: number;
  readonly maxLevels?: number;
  readonly tableBits?: number;
  readonly calibrationMethod?: CalibrationMethod;
  readonly percentile?: number;
  readonly improve?: boolean;
}

type Written = string | number;

/** The file as `schema/config.schema.json` admits it. */
interface ConfigFile {
  readonly Model?: {
    readonly Precision?:
      | Written
      | { readonly default?: Written; readonly input?: Written; readonly output?: Written };
    readonly TargetSqnr?: number;
    readonly TargetAgreement?: number;
    readonly ReuseFactor?: number;
    readonly Architecture?: string;
    readonly Target?: string;
    readonly TargetFps?: number;
    readonly ClockMhz?: number;
    readonly MaxLevels?: number;
    readonly TableBits?: number;
    readonly Calibration?: {
      readonly Method?: CalibrationMethod;
      readonly Percentile?: number;
      readonly Improve?: boolean;
    };
  };
  readonly LayerName?: Readonly<
    Record<
      string,
      {
        readonly Precision?:
          | Written
          | { readonly weight?: Written; readonly bias?: Written; readonly result?: Written };
        readonly ReuseFactor?: number;
        readonly PE?: number;
        readonly SIMD?: number;
        readonly FifoDepth?: number;
        readonly Static?: boolean;
      }
    >
  >;
}

export const defaultClockMhz = 200;

/**
 * Reads a YAML file (where there is one) and lays the flags over it.
 *
 * @throws N2F_FILE_READ, N2F_CONFIG_INVALID, N2F_OPTION_INVALID
 */
export function loadConfig(path: string | undefined, flags: ConfigFlags): CompileConfig {
  const file = path === undefined ? {} : readConfigFile(path);
  const model = file.Model ?? {};
  const written =
    typeof model.Precision === "object"
      ? model.Precision
      : model.Precision === undefined
        ? {}
        : { default: model.Precision };
  const read = (text: Written | undefined, at: string) =>
    text === undefined ? undefined : readPrecision(text, at);
  const input =
    read(flags.inputPrecision, "--input-precision") ?? read(written.input, "Model.Precision.input");
  const output =
    read(flags.outputPrecision, "--output-precision") ??
    read(written.output, "Model.Precision.output");
  const maxLevels = flags.maxLevels ?? model.MaxLevels;
  const layers = Object.entries(file.LayerName ?? {});
  const wanted = flags.precision ?? written.default;
  const isAuto = wanted === "auto";
  const isInt8 = wanted === "int8";
  const asked =
    isAuto || isInt8
      ? undefined
      : read(wanted, flags.precision === undefined ? "Model.Precision" : "--precision");
  const target = readTarget(isAuto, flags, model);
  return {
    ...(target && { target }),
    mayChooseMethod:
      flags.calibrationMethod === undefined && model.Calibration?.Method === undefined,
    improve: (flags.improve ?? true) && (model.Calibration?.Improve ?? true),
    isInt8,
    mayWiden:
      asked === undefined &&
      !isInt8 &&
      layers.every(([, { Precision }]) => Precision === undefined),
    quantize: {
      default: asked ?? defaultQuantizeOptions.default,
      ...(input && { input }),
      ...(output && { output }),
      layers: new Map(layers.map(([name, layer]) => [name, layerPrecision(layer.Precision, name)])),
      method: flags.calibrationMethod ?? model.Calibration?.Method ?? defaultQuantizeOptions.method,
      percentile:
        flags.percentile ?? model.Calibration?.Percentile ?? defaultQuantizeOptions.percentile,
      tableBits: flags.tableBits ?? model.TableBits ?? defaultQuantizeOptions.tableBits,
    },
    schedule: {
      ...readArchitecture(flags, model),
      layers: new Map(
        layers.map(([name, { PE, SIMD, ReuseFactor, FifoDepth, Static }]) => [
          name,
          {
            ...(PE !== undefined && { pe: PE }),
            ...(SIMD !== undefined && { simd: SIMD }),
            ...(ReuseFactor !== undefined && { reuse: ReuseFactor }),
            ...(FifoDepth !== undefined && { fifoDepth: FifoDepth }),
            ...(Static !== undefined && { isStatic: Static }),
          },
        ]),
      ),
      clockMhz: flags.clockMhz ?? model.ClockMhz ?? defaultClockMhz,
      ...(maxLevels !== undefined && { maxLevels }),
      reuse: flags.reuse ?? model.ReuseFactor ?? 1,
      layerReuse: new Map(
        layers.flatMap(([name, { ReuseFactor }]) =>
          ReuseFactor === undefined ? [] : [[name, ReuseFactor]],
        ),
      ),
    },
  };
}

const architectures = ["parallel", "stream", "auto"] as const;

function readArchitecture(
  flags: ConfigFlags,
  model: NonNullable<ConfigFile["Model"]>,
): Pick<ScheduleOptions, "architecture" | "target" | "targetFps"> {
  const wanted = flags.architecture ?? model.Architecture ?? "auto";
  const architecture = architectures.find((name) => name === wanted);
  if (architecture === undefined) {
    fail("N2F_OPTION_INVALID", `there is no architecture ${wanted}`, {
      at: "--architecture",
      hint: `Use one of ${architectures.join(", ")}.`,
    });
  }
  const target = flags.target ?? model.Target;
  const targetFps = flags.targetFps ?? model.TargetFps;
  return {
    architecture,
    ...(target !== undefined && { target }),
    ...(targetFps !== undefined && { targetFps }),
  };
}

/** What `auto` aims at; the target without `auto` would be forgotten silently. */
function readTarget(
  isAuto: boolean,
  flags: ConfigFlags,
  model: NonNullable<ConfigFile["Model"]>,
): PrecisionTarget | undefined {
  const isFlag = flags.targetSqnr !== undefined || flags.targetAgreement !== undefined;
  const decibel = isFlag ? flags.targetSqnr : model.TargetSqnr;
  const percent = isFlag ? flags.targetAgreement : model.TargetAgreement;
  if (!isAuto && decibel === undefined && percent === undefined) return undefined;
  if (isAuto && (decibel === undefined) !== (percent === undefined)) {
    return decibel === undefined
      ? { kind: "agreement", share: (percent as number) / 100 }
      : { kind: "sqnr", decibel };
  }
  const message = isAuto
    ? "precision `auto` needs one target"
    : "a precision target was given, but the precision is not `auto`";
  return fail("N2F_OPTION_INVALID", message, {
    at: "--precision",
    hint: "Give --precision auto with either --target-sqnr DB or --target-agreement PERCENT.",
  });
}

function layerPrecision(
  written: NonNullable<ConfigFile["LayerName"]>[string]["Precision"],
  name: string,
): LayerPrecision {
  const parts: Readonly<Record<string, Written | undefined>> =
    typeof written === "object" ? written : { result: written };
  const entries = Object.entries(parts).flatMap(([part, text]) =>
    text === undefined
      ? []
      : [[part, readPrecision(text, `LayerName.${name}.Precision.${part}`)] as const],
  );
  return Object.fromEntries(entries);
}

/** `exact`, a width in bits, or a format. */
function readPrecision(written: Written, at: string): PrecisionRequest {
  const text = String(written).trim();
  if (text === "exact") return { kind: "exact" };
  if (!/^\d+$/.test(text)) return { kind: "format", precision: parsePrecision(text, at) };
  const widthBits = Number(text);
  if (widthBits >= 1 && widthBits <= 48) return { kind: "width", widthBits };
  return fail(
    "N2F_OPTION_INVALID",
    `a precision of ${text} bits was asked for; 1 to 48 bits are possible`,
    { at },
  );
}

function readConfigFile(path: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    return fail("N2F_FILE_READ", `the configuration cannot be read: ${(cause as Error).message}`, {
      at: path,
      cause,
    });
  }
  let content: unknown;
  try {
    content = parseYaml(text) ?? {};
  } catch (cause) {
    return fail(
      "N2F_CONFIG_INVALID",
      `this is no YAML: ${(cause as Error).message.split("\n")[0]}`,
      { at: path, cause },
    );
  }
  const schema: unknown = JSON.parse(
    readFileSync(packagePath("schema", "config.schema.json"), "utf8"),
  );
  const validate = new Ajv({ allErrors: true }).compile(schema as object);
  if (validate(content)) return content as ConfigFile;
  throw new Nn2fpgaError(configProblems(validate.errors ?? [], path));
}

function configProblems(errors: readonly ErrorObject[], path: string) {
  return errors
    .filter((error) => error.keyword !== "oneOf")
    .map((error) => {
      const place = error.instancePath.split("/").filter(Boolean).join(".");
      const extra = Object.values(error.params)[0] ?? "";
      return {
        code: "N2F_CONFIG_INVALID" as const,
        message: `${place || "the file"} ${error.message}${extra === "" ? "" : ` (${String(extra)})`}`,
        at: path,
        hint: "schema/config.schema.json has all keys and what they take.",
      };
    });
}
