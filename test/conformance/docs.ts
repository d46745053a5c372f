import { fileURLToPath } from "node:url";
import { conformancePath, readConformance, sectionOf } from "../support/page.ts";
import { type CaseEntry, isLight, listCases } from "./case.ts";
import type { KnownFailing } from "./known-failing.ts";
import { operatorsPage } from "./operators-page.ts";
import { resultsFile, resultsOf, resultsText } from "./results.ts";
import { type Mode, modes } from "./run-case.ts";
import type { CaseResult } from "./run-cases.ts";
import { scopeOf } from "./scope.ts";

const place = (name: string): string =>
  fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));

/** The files that say what passes, as they must read after these results: path and text. */
export function writtenDocs(
  results: readonly CaseResult[],
  known: KnownFailing,
): readonly (readonly [string, string])[] {
  const small = results.filter(({ entry }) => !isLight(entry));
  const found = resultsOf(small);
  const page = readConformance();
  const big = results.length > small.length ? bigSection(results) : sectionOf(page, bigTitle);
  const broken = sectionOf(page, "Broken models");
  return [
    [fileURLToPath(resultsFile), resultsText(found)],
    [place("operators.md"), operatorsPage(found)],
    [conformancePath, conformancePage(small, known, big ?? "", broken ?? "")],
  ];
}

function judged(results: readonly CaseResult[], mode: Mode): readonly CaseResult[] {
  return results.filter((result) => result.mode === mode && result.outcome.status !== "constant");
}

function passed(results: readonly CaseResult[], mode: Mode): number {
  return judged(results, mode).filter(({ outcome }) => outcome.status === "pass").length;
}

function totalsText(results: readonly CaseResult[]): string {
  const parts = modes.map((mode) => {
    const [all, good] = [judged(results, mode).length, passed(results, mode)];
    return `${good} of ${all} (${((100 * good) / all).toFixed(1)} %) in ${mode === "float" ? "float" : "fixed point"}`;
  });
  return `In all ${parts.join(" and ")}.`;
}

const bigTitle = "Big graphs";

/** What the big graphs took. */
function bigSection(results: readonly CaseResult[]): string {
  const rows = [...new Set(results.map(({ entry }) => entry))].filter(isLight).map((entry) => {
    const own = new Map(
      results.flatMap(({ entry: of, mode, outcome }) => (of === entry ? [[mode, outcome]] : [])),
    );
    const { effort } = own.get("fixed") ?? {};
    const cells = [
      nameOf(entry),
      ...modes.map((mode) => own.get(mode)?.status ?? "-"),
      seconds(effort?.quantizedSeconds),
      seconds(effort?.cpuSeconds),
      effort === undefined ? "-" : `${(effort.peakMb / 1024).toFixed(1)} GiB`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `The project's own copies of large networks, with generated weights. CPU time to the quantized graph is that of reading,
import, passes, one inference for calibration, and quantization to 24 bits; the rest is the emulator's module and one
inference in it. Written by \`npm run conformance -- --light\`.

| network | float | fixed | CPU time to the quantized graph | with the emulator | peak memory |
| --- | --- | --- | --- | --- | --- |
${rows.join("\n")}`;
}

const nameOf = ({ folder }: CaseEntry): string => `\`${folder.replace(/^light\/|\.onnx$/g, "")}\``;
const seconds = (value: number | undefined): string =>
  value === undefined ? "-" : `${value.toFixed(1)} s`;

function conformancePage(
  results: readonly CaseResult[],
  known: KnownFailing,
  big: string,
  broken: string,
): string {
  const reasons = new Map<string, string[]>();
  for (const { entry, mode, outcome } of results) {
    if (outcome.status !== "fail") continue;
    const reason = known.reasonOf(mode, entry.folder) ?? outcome.reason ?? "";
    const key = `\`${entry.folder}\``;
    reasons.set(key, [...(reasons.get(key) ?? []), `${mode}: ${cell(reason)}`]);
  }
  const failing = [...reasons].map(([folder, texts]) => `| ${folder} | ${texts.join("<br>")} |`);
  const outside = listCases().flatMap((entry) => {
    const scope = scopeOf(entry);
    if (scope.inScope) return [];
    return [`| \`${entry.folder}\` | ${cell(scope.rule)} | ${cell(scope.refusal)} |`];
  });
  return `# Conformance

What becomes of the ONNX project's own cases. ${totalsText(results)}
Written by \`npm run
conformance\`; a test holds it in step. [test/conformance](../test/conformance/README.md) has the runner, and how answers are compared.

- **float**: import and passes, against the reference at ONNX's own tolerances: |y - r| <= 1e-7 + 1e-3 |r|.
- **fixed**: then 24-bit quantization, calibrated on the case's own inputs, through the emulator:
  |y - r| <= 2^-8 R, where R is the reference's greatest element less its least (its absolute value where all are the
  same; 1 for zeros).

A case counts where its operators are of version 6 or newer and all among those that networks for this compiler are
made of ([scope.ts](../test/conformance/scope.ts)), and its inputs and outputs are tensors of numbers with fixed extents.

## Failing

| case | why |
| --- | --- |
${failing.join("\n")}

## ${bigTitle}

${big}

## Broken models

${broken}

## Out of scope

${outside.length} cases, by the rule above, with what the import says of them.

| case | rule | the import |
| --- | --- | --- |
${outside.join("\n")}
`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
