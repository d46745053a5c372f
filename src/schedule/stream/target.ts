import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import { fail, Nn2fpgaError } from "../../base/index.ts";
import { packagePath } from "../../tools/index.ts";

/** What binds a folding. */
export const budgetKinds = ["lut", "ff", "dsp", "bram36"] as const;
export type BudgetKind = (typeof budgetKinds)[number];
export type Budget = Readonly<Record<BudgetKind, number>>;

/** A device: what it has, and what of it a design may take. */
export interface Target {
  readonly name: string;
  readonly title: string;
  readonly clockMhz?: number;
  /** Whether a DSP slice can make two products of few bits. */
  readonly hasPairs: boolean;
  readonly budget: Budget;
}

interface TargetFile {
  readonly title: string;
  readonly clockMhz?: number;
  readonly dspSlice?: "DSP48E1" | "DSP48E2";
  readonly resources: Record<BudgetKind, number>;
  readonly ceilings?: Partial<Record<BudgetKind, number>>;
}

const defaultCeilings: Budget = { lut: 0.7, ff: 0.7, dsp: 1, bram36: 0.85 };

/** Names of the targets that come with the package. */
export function targetNames(): string[] {
  return readdirSync(packagePath("hw", "targets"))
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}

let validator: ValidateFunction | undefined;

/** Made once: it takes longer than all the rest. */
function schemaValidator(): ValidateFunction {
  if (validator === undefined) {
    const schema: unknown = JSON.parse(
      readFileSync(packagePath("schema", "target.schema.json"), "utf8"),
    );
    validator = new Ajv({ allErrors: true }).compile(schema as object);
  }
  return validator;
}

/**
 * A target of the package by its name, or of the user by the path of a JSON file.
 *
 * @throws N2F_OPTION_INVALID, N2F_CONFIG_INVALID
 */
export function loadTarget(name: string): Target {
  const isFile = name.endsWith(".json");
  const path = isFile ? name : packagePath("hw", "targets", `${name}.json`);
  if ((!isFile && !targetNames().includes(name)) || !existsSync(path)) {
    return fail("N2F_OPTION_INVALID", `there is no target ${name}`, {
      at: "--target",
      hint: `Give one of ${targetNames().join(", ")}, or the path of a JSON file as schema/target.schema.json has it.`,
    });
  }
  const wrong = (message: string, cause?: unknown) =>
    fail("N2F_CONFIG_INVALID", message, {
      at: path,
      hint: "schema/target.schema.json has all keys and what they take.",
      cause,
    });
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    return wrong(`the target is no JSON: ${(cause as Error).message}`, cause);
  }
  const validate = schemaValidator();
  if (!validate(content)) {
    throw new Nn2fpgaError(
      (validate.errors ?? []).map((error) => ({
        code: "N2F_CONFIG_INVALID" as const,
        message: `${error.instancePath.slice(1).replaceAll("/", ".") || "the target"} ${error.message}`,
        at: path,
        hint: "schema/target.schema.json has all keys and what they take.",
      })),
    );
  }
  const { title, clockMhz, dspSlice, resources, ceilings } = content as TargetFile;
  const budget = Object.fromEntries(
    budgetKinds.map((kind) => [
      kind,
      Math.floor(resources[kind] * (ceilings?.[kind] ?? defaultCeilings[kind])),
    ]),
  ) as Record<BudgetKind, number>;
  return {
    name: isFile ? title : name,
    title,
    ...(clockMhz !== undefined && { clockMhz }),
    hasPairs: dspSlice !== "DSP48E1",
    budget,
  };
}
