import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { loadOnnxRuntime } from "../../ops/onnx-twin.ts";
import {
  type Comparison,
  compareWithReference,
  joinComparisons,
  nothingCompared,
} from "./compare.ts";
import { documentedRows, rowsOf, writeRows } from "./docs.ts";
import type { OperatorProblem } from "./problem.ts";
import { qdqProblems } from "./qdq-problems.ts";
import { qlinearProblems } from "./qlinear-problems.ts";
import { qonnxProblems } from "./qonnx-problems.ts";

const ort = await loadOnnxRuntime();
if (ort === undefined) {
  console.warn("onnxruntime-node is not installed: quantized operators were NOT compared with it");
}

const problems = [...qdqProblems, ...qlinearProblems, ...qonnxProblems];
const results: (readonly [OperatorProblem, Comparison])[] = [];

/** A seed of the problem's own. */
function seedOf({ operator, formats }: OperatorProblem, seed: number): number {
  return [...operator, ...formats].reduce(
    (h, c) => (h * 31 + (c.codePointAt(0) as number)) | 0,
    seed,
  );
}

async function solve(problem: OperatorProblem): Promise<Comparison> {
  let all = nothingCompared;
  for (let seed = 0; seed < problem.seeds; seed++) {
    const made = problem.make(new Random(seedOf(problem, seed)), seed);
    const optimization = problem.optimization ?? "disabled";
    all = joinComparisons(all, await compareWithReference(ort, made, optimization));
  }
  return all;
}

describe("quantized operators give the codes of their references", () => {
  for (const problem of problems) {
    const { operator, formats, nearTies = 0, isOwnReference } = problem;
    it.skipIf(ort === undefined && !isOwnReference)(`${operator}, ${formats}`, async () => {
      const result = await solve(problem);
      results.push([problem, result]);
      const { compared, equal, worst, unexplained } = result;
      expect(compared).toBeGreaterThan(200);
      expect(worst).toBeLessThan(1.5);
      expect(unexplained).toBe(0);
      expect(compared - equal).toBeLessThanOrEqual(nearTies * compared);
    });
  }
});

/** Other processors add in another order: what float32 decides need not be the same to the last code. */
const shareOfProcessors = 1e-2;

it.skipIf(ort === undefined)("docs/quantized-models.md tells these figures", ({ skip }) => {
  if (results.length < problems.length) skip("not all operators were tried, or some failed");
  const rows = rowsOf(results);
  if (process.env["N2F_UPDATE_GOLDEN"] === "1") writeRows(rows);
  const documented = documentedRows();
  const withoutEqual = (row: (typeof rows)[number]) => ({ ...row, equal: 0 });
  expect(documented.map(withoutEqual)).toEqual(rows.map(withoutEqual));
  rows.forEach(({ compared, equal }, i) => {
    expect(Math.abs(documented[i].equal - equal)).toBeLessThanOrEqual(shareOfProcessors * compared);
  });
});
