import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { casesFolder, isLight, listCases } from "./case.ts";
import { writtenDocs } from "./docs.ts";
import { KnownFailing } from "./known-failing.ts";
import { type Mode, modes } from "./run-case.ts";
import { type CaseResult, casesInScope, runCases } from "./run-cases.ts";
import { scopeOf } from "./scope.ts";

const usage = `npm run conformance -- [options]
Without a choice of cases it writes results.json, docs/operators.md and docs/conformance.md.
  --op NAME        only cases about this operator, as INDEX.csv has it (Conv)
  --case GLOB      only these cases (node/test_add*)
  --mode MODE      only float, or only fixed
  --failing        only cases that are listed as failing
  --light          the big graphs too
  --processes N    how many processes share the work (default: one for each core, up to 4)
  --update         write known-failing.txt anew
  --out-of-scope   list what does not count, and why
  --quiet          only the counts`;

const { values: flags } = parseArgs({
  args: process.argv.slice(3),
  options: {
    op: { type: "string" },
    case: { type: "string" },
    mode: { type: "string" },
    failing: { type: "boolean", default: false },
    light: { type: "boolean", default: false },
    processes: { type: "string" },
    update: { type: "boolean", default: false },
    "out-of-scope": { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

if (flags.help) print(usage);
else if (casesFolder === undefined)
  print("shared/corpus/onnx_conformance is absent: nothing was run");
else if (flags["out-of-scope"]) listOutOfScope();
else await run();

function listOutOfScope(): void {
  for (const entry of listCases()) {
    const scope = scopeOf(entry);
    if (!scope.inScope) print(`${entry.folder}: ${scope.rule}. ${scope.refusal}`);
  }
}

async function run(): Promise<void> {
  const known = new KnownFailing();
  const wanted = modes.filter((mode) => flags.mode === undefined || mode === flags.mode);
  const glob = flags.case === undefined ? undefined : globPattern(flags.case);
  const entries = casesInScope().filter(
    (entry) =>
      (flags.op === undefined || entry.primary === flags.op) &&
      (glob === undefined || glob.test(entry.folder)) &&
      (flags.light || glob !== undefined || !isLight(entry)) &&
      (!flags.failing || wanted.some((mode) => known.reasonOf(mode, entry.folder) !== undefined)),
  );
  // Of all that counts the results are kept; of the big graphs where they were run.
  const isWhole =
    wanted.length === modes.length &&
    [flags.op, glob].every((filter) => filter === undefined) &&
    !flags.failing;
  const processes = Number(flags.processes ?? Math.min(4, availableParallelism()));
  const results = await runCases(entries, processes, wanted);
  if (flags.update) known.update(results);
  if (isWhole) for (const [path, text] of writtenDocs(results, known)) writeFileSync(path, text);
  if (!flags.quiet) listFailures(results, known);
  printCounts(results, wanted);
  const surprises = results.filter((result) => known.surprise(result) !== "");
  print(`${surprises.length} not as known-failing.txt says`);
  process.exitCode = surprises.length > 0 && !flags.update ? 1 : 0;
}

function globPattern(glob: string): RegExp {
  const escaped = glob.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^(?:.*/)?${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}

function listFailures(results: readonly CaseResult[], known: KnownFailing): void {
  for (const result of results) {
    const { entry, mode, outcome } = result;
    const mark = known.surprise(result) === "" ? "  " : "! ";
    if (outcome.status === "fail") {
      const attempt = outcome.attempt === undefined ? "" : ` [${outcome.attempt}]`;
      print(`${mark}${mode} ${entry.folder}${attempt}: ${outcome.reason}`);
    } else if (mark === "! ") print(`${mark}${mode} ${entry.folder}: passes now`);
  }
}

function printCounts(results: readonly CaseResult[], wanted: readonly Mode[]): void {
  const names = [...new Set(results.map(({ entry }) => entry.primary))].sort();
  const cell = (of: readonly CaseResult[], mode: Mode): string => {
    const own = of.filter((result) => result.mode === mode && result.outcome.status !== "constant");
    const passed = own.filter(({ outcome }) => outcome.status === "pass").length;
    return `${passed}/${own.length}`.padStart(9);
  };
  print(`\n${"operator".padEnd(28)}${wanted.map((mode) => mode.padStart(9)).join("")}`);
  for (const name of names) {
    const own = results.filter(({ entry }) => entry.primary === name);
    print(name.padEnd(28) + wanted.map((mode) => cell(own, mode)).join(""));
  }
  print("all".padEnd(28) + wanted.map((mode) => cell(results, mode)).join(""));
  for (const mode of wanted) {
    const own = results.filter((result) => result.mode === mode);
    const judged = own.filter(({ outcome }) => outcome.status !== "constant");
    const passed = judged.filter(({ outcome }) => outcome.status === "pass");
    const share = ((100 * passed.length) / Math.max(1, judged.length)).toFixed(1);
    const constant = own.length - judged.length;
    print(
      `${mode}: ${passed.length} of ${judged.length} pass (${share} %); ${constant} have no kernel`,
    );
    const counts = new Map<string, number>();
    for (const { outcome } of passed) {
      const attempt = outcome.attempt ?? "";
      counts.set(attempt, (counts.get(attempt) ?? 0) + 1);
    }
    for (const [attempt, count] of counts) print(`  ${count} with ${attempt}`);
  }
}
