import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { opTable } from "../../src/ops/index.ts";
import { listCases } from "./case.ts";
import type { KnownFailing } from "./known-failing.ts";
import { type Mode, modes } from "./run-case.ts";
import type { CaseResult } from "./run-cases.ts";
import { scopeOf } from "./scope.ts";

const place = (name: string): string =>
  fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));

/** The pages that say what passes, as they must read after these results: path and text. */
export function writtenDocs(
  results: readonly CaseResult[],
  known: KnownFailing,
): readonly (readonly [string, string])[] {
  const operators = place("operators.md");
  return [
    [operators, withCounts(readFileSync(operators, "utf8"), results)],
    [place("conformance.md"), conformancePage(results, known)],
  ];
}

const title = "## What is tried";

/** Everything from the last title on is written here, and the rows of our own operators. */
function withCounts(page: string, results: readonly CaseResult[]): string {
  const [before] = page.split(`${title}\n`);
  const own = Object.entries(opTable).map(([name, { kind, summary, ...op }]) => {
    const lossy = "lossy" in op && op.lossy === true ? ", lossy" : "";
    return `| \`${name}\` | ${kind}${lossy} | ${summary} |`;
  });
  const renewed = before.replace(
    /(\| operator \| kind \| what it computes \|\n\| --- \| --- \| --- \|\n)(?:\|.*\n)*/,
    (_, head: string) => `${head}${own.join("\n")}\n`,
  );
  return `${renewed.trimEnd()}\n\n${title}\n\n${countsSection(results)}`;
}

function countsSection(results: readonly CaseResult[]): string {
  const names = [...new Set(results.map(({ entry }) => entry.primary))]
    .filter((name) => !name.startsWith("("))
    .sort();
  const rows = names.map((name) => {
    const own = results.filter(({ entry }) => entry.primary === name);
    const opsets = own.flatMap(({ outcome }) => outcome.opset ?? []);
    const range =
      opsets.length === 0
        ? "-"
        : [...new Set([Math.min(...opsets), Math.max(...opsets)])].join(" to ");
    const becomes = [...new Set(own.flatMap(({ outcome }) => outcome.becomes ?? []))].sort();
    const words = becomes.map((word) => `\`${word}\``).join(", ");
    return `| \`${name}\` | ${range} | ${words} | ${counts(own, "float")} | ${counts(own, "fixed")} |`;
  });
  return `The ONNX project's own cases, by the operator that each is about: the opsets that passed, the primitive operators
that the cases become after the passes (which [decision 0002](decisions/0002-kernel-words.md) brings to kernel words and
[resources](resources.md) to modules), and how many pass of how many, in float and in fixed point at 24 bits. ${totalsText(results)}
[conformance.md](conformance.md) has the rules and every failure. Written by \`npm run conformance -- --docs\`.

| ONNX | opsets | becomes | float | fixed |
| --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
}

function judged(results: readonly CaseResult[], mode: Mode): readonly CaseResult[] {
  return results.filter((result) => result.mode === mode && result.outcome.status !== "constant");
}

function passed(results: readonly CaseResult[], mode: Mode): number {
  return judged(results, mode).filter(({ outcome }) => outcome.status === "pass").length;
}

function counts(results: readonly CaseResult[], mode: Mode): string {
  const all = judged(results, mode).length;
  return all === 0 ? "-" : `${passed(results, mode)} / ${all}`;
}

function totalsText(results: readonly CaseResult[]): string {
  const parts = modes.map((mode) => {
    const [all, good] = [judged(results, mode).length, passed(results, mode)];
    return `${good} of ${all} (${((100 * good) / all).toFixed(1)} %) in ${mode === "float" ? "float" : "fixed point"}`;
  });
  return `In all ${parts.join(" and ")}.`;
}

function conformancePage(results: readonly CaseResult[], known: KnownFailing): string {
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

What becomes of the ONNX project's own cases. ${totalsText(results)} Written by \`npm run conformance -- --docs\`; a test
holds it in step. [test/conformance](../test/conformance/README.md) has the runner, and how answers are compared.

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

## Out of scope

${outside.length} cases, by the rule above, with what the import says of them.

| case | rule | the import |
| --- | --- | --- |
${outside.join("\n")}
`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
