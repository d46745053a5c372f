import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import {
  assertGraph,
  evaluate,
  type Graph,
  inputsOf,
  parseGraph,
  printGraph,
  type ValueId,
} from "../../src/ir/index.ts";
import { ops } from "../../src/ops/index.ts";
import { type Pass, pipeline, runPasses } from "../../src/passes/index.ts";
import { makeTensor, sizeOf, type Tensor } from "../../src/tensor/index.ts";

/** Text in, text out: `<pass>/<case>.ir` and beside it `<case>.expected.ir`. */
const folder = fileURLToPath(new URL(".", import.meta.url));
const passes = new Map<string, Pass>(pipeline.map((pass) => [pass.name, pass]));
const updates = process.env["N2F_UPDATE_GOLDEN"] === "1";

const casesOf = (pass: string): string[] =>
  readdirSync(`${folder}/${pass}`)
    .filter((file) => file.endsWith(".ir") && !file.endsWith(".expected.ir"))
    .map((file) => file.slice(0, -".ir".length));

/** Outputs by name, on the same random inputs for every graph with the same inputs. */
function outputsOf(graph: Graph, seed: number): Map<string, Tensor> {
  const random = new Random(seed);
  const known = new Map<ValueId, Tensor>(
    inputsOf(graph).map(({ id, shape }) => [
      id,
      makeTensor(
        shape,
        Float64Array.from({ length: sizeOf(shape) }, () => random.normal()),
      ),
    ]),
  );
  const values = evaluate(graph, ops, known);
  return new Map(graph.outputs.map(({ name, value }) => [name, values.get(value) as Tensor]));
}

function expectSameMeaning(before: Graph, after: Graph): void {
  for (let seed = 0; seed < 20; seed++) {
    const [expected, actual] = [outputsOf(before, seed), outputsOf(after, seed)];
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    for (const [name, { shape, data }] of expected) {
      const result = actual.get(name) as Tensor;
      expect(result.shape).toEqual(shape);
      const scale = data.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
      result.data.forEach((x, i) => {
        expect(Math.abs(x - data[i])).toBeLessThanOrEqual(1e-9 * scale);
      });
    }
  }
}

it("every pass has cases, and every folder is a pass", () => {
  const folders = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  expect(folders.sort()).toEqual([...passes.keys()].sort());
});

describe.each([...passes.keys()])("%s", (name) => {
  const pass = passes.get(name) as Pass;

  it.each(casesOf(name))("%s", (example) => {
    const path = `${folder}/${name}/${example}`;
    const before = parseGraph(readFileSync(`${path}.ir`, "utf8"), ops);
    const after = assertGraph(pass.run(before, ops), ops, name);
    const text = printGraph(after);
    if (updates) writeFileSync(`${path}.expected.ir`, text);
    expect(text).toBe(readFileSync(`${path}.expected.ir`, "utf8"));
    expectSameMeaning(before, after);
  });
});

describe("all passes in a row", () => {
  it.each([...passes.keys()].flatMap((name) => casesOf(name).map((example) => [name, example])))(
    "keep the meaning of %s/%s",
    (name, example) => {
      const before = parseGraph(readFileSync(`${folder}/${name}/${example}.ir`, "utf8"), ops);
      expectSameMeaning(before, runPasses(before, ops));
    },
  );
});
