import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { beforeAll, describe, expect, test } from "vitest";
import { casesFolder, isLight } from "./case.ts";
import { writtenDocs } from "./docs.ts";
import { KnownFailing } from "./known-failing.ts";
import { type CaseResult, casesInScope, runCases } from "./run-cases.ts";

if (casesFolder === undefined) {
  console.warn("shared/corpus/onnx_conformance is absent: the ONNX cases were NOT run");
}

describe.skipIf(casesFolder === undefined)("the cases of the ONNX project", () => {
  const known = new KnownFailing();
  const entries = casesInScope().filter((entry) => !isLight(entry));
  const operators = [...new Set(entries.map(({ primary }) => primary))].sort();
  let results: readonly CaseResult[] = [];

  beforeAll(async () => {
    results = await runCases(entries, Math.min(4, availableParallelism()));
  });

  test.each(operators)("%s: float through the passes, fixed through the emulator", (operator) => {
    const own = results.filter(({ entry }) => entry.primary === operator);
    expect(own.length).toBeGreaterThan(0);
    const surprises = own.flatMap((result) => {
      const text = known.surprise(result);
      return text === "" ? [] : [`${result.mode} ${result.entry.folder} ${text}`];
    });
    expect(surprises).toEqual([]);
  });

  test("results.json, docs/operators.md and docs/conformance.md say so (npm run conformance)", () => {
    for (const [path, text] of writtenDocs(results, known)) {
      expect(readFileSync(path, "utf8"), path).toBe(text);
    }
  });

  test("every case that is listed as failing is in scope", () => {
    const run = new Set(results.map(({ mode, entry }) => `${mode} ${entry.folder}`));
    expect(known.keys.filter((key) => !run.has(key) && !key.includes(" light/"))).toEqual([]);
  });
});
