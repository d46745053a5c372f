import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { casesFolder } from "../conformance/case.ts";
import { fuzzJobs, runFuzz } from "./run-fuzz.ts";

if (casesFolder === undefined) {
  console.warn("shared/corpus/onnx_conformance is absent: broken models were NOT tried");
}

test.skipIf(casesFolder === undefined)(
  "400 broken models are refused or compiled: no crash, no hang, no stack trace",
  async () => {
    const jobs = fuzzJobs(400, 20_260_101);
    const { findings, counts } = await runFuzz(jobs, Math.min(4, availableParallelism()));
    expect(findings).toEqual([]);
    // Enough of them come far enough to try more than the reader.
    const compiled = [...counts].filter(([key]) => key.startsWith("compile: "));
    expect(compiled.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(10);
  },
);
