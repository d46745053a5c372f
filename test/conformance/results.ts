import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Nn2fpgaError } from "../../src/base/index.ts";
import { type OnnxModel, readModel, surveyModel } from "../../src/onnx/index.ts";
import { ops } from "../../src/ops/index.ts";
import { sharedPath } from "../support/shared.ts";
import { becomesOf } from "./becomes.ts";
import { isLight, listCases } from "./case.ts";
import { type Mode, modes } from "./run-case.ts";
import type { CaseResult } from "./run-cases.ts";
import { sampleModels } from "./sample-nodes.ts";
import { scopeOf } from "./scope.ts";

/** Cases that pass, and cases that there are. */
export type Count = readonly [number, number];

/** What was seen of one operator of ONNX. */
export interface OperatorResult {
  /** The least and the greatest version of the standard's operators with which a case passed. */
  readonly opsets?: readonly [number, number];
  /** The primitive operators that it became, in cases and in real networks. */
  readonly becomes: readonly string[];
  readonly float?: Count;
  readonly fixed?: Count;
}

/** What a run of all cases found, as `results.json` keeps it. */
export interface Results {
  readonly totals: Readonly<Record<Mode, Count>>;
  readonly operators: Readonly<Record<string, OperatorResult>>;
}

export const resultsFile = new URL("results.json", import.meta.url);

/** Of the last run of all cases. */
export function readResults(): Results {
  return JSON.parse(readFileSync(resultsFile, "utf8"));
}

export function resultsText(results: Results): string {
  const lines = Object.entries(results.operators).map(
    ([name, result]) => `    ${JSON.stringify(name)}: ${JSON.stringify(result)}`,
  );
  return `{\n  "totals": ${JSON.stringify(results.totals)},\n  "operators": {\n${lines.join(",\n")}\n  }\n}\n`;
}

/** The results of a run of all cases that count. */
export function resultsOf(results: readonly CaseResult[]): Results {
  const becomes = new Map<string, Set<string>>();
  const add = (operator: string, words: readonly string[]): void => {
    const known = becomes.get(operator) ?? new Set();
    for (const word of words) known.add(word);
    becomes.set(operator, known);
  };
  for (const { entry, outcome } of results) add(entry.primary, outcome.becomes ?? []);
  seeOtherCases(add);
  seeNetworks(add);
  for (const model of sampleModels) seeModel(model, add);
  const operators = [...becomes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, words]) => {
      if (name.startsWith("(")) return [];
      const own = results.filter(({ entry }) => entry.primary === name);
      const opsets = own.flatMap(({ outcome }) => outcome.opset ?? []);
      const result: OperatorResult = {
        ...(opsets.length > 0 && { opsets: [Math.min(...opsets), Math.max(...opsets)] as const }),
        becomes: [...words].sort(),
        ...countsOf(own),
      };
      return [[name, result] as const];
    });
  return {
    totals: { float: count(results, "float"), fixed: count(results, "fixed") },
    operators: Object.fromEntries(operators),
  };
}

function count(results: readonly CaseResult[], mode: Mode): Count {
  const judged = results.filter(
    (result) => result.mode === mode && result.outcome.status !== "constant",
  );
  return [judged.filter(({ outcome }) => outcome.status === "pass").length, judged.length];
}

function countsOf(own: readonly CaseResult[]): Partial<Record<Mode, Count>> {
  const counts = modes.map((mode) => [mode, count(own, mode)] as const);
  return Object.fromEntries(counts.filter(([, [, all]]) => all > 0));
}

type Add = (operator: string, words: readonly string[]) => void;

/** Cases of operators that do not count. */
function seeOtherCases(add: Add): void {
  for (const entry of listCases()) {
    if (isLight(entry) || scopeOf(entry).inScope) continue;
    add(entry.primary, becomesOf(entry));
  }
}

/** Nodes of real networks, whose own operators have no cases. */
function seeNetworks(add: Add): void {
  const folder = sharedPath("corpus", "models");
  if (folder === undefined) return;
  for (const path of modelsIn(folder)) {
    try {
      seeModel(readModel(path), add);
    } catch (error) {
      if (!(error instanceof Nn2fpgaError)) throw error;
    }
  }
}

function seeModel(model: OnnxModel, add: Add): void {
  for (const { opType, kernel } of surveyModel(model))
    if (kernel.length > 0) add(opType, kernel.flatMap(primitives));
}

function modelsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".onnx"))
    .sort()
    .map((name) => join(folder, name));
}

function primitives(name: string): readonly string[] {
  const op = ops.get(name);
  return op?.kind === "composite" ? op.madeOf.flatMap(primitives) : [name];
}
