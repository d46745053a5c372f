import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Nn2fpgaError } from "../../../src/base/index.ts";
import { type Graph, inputsOf } from "../../../src/ir/index.ts";
import { importModel, minOpset, type OnnxModel, readModel } from "../../../src/onnx/index.ts";
import { rules } from "../../../src/onnx/rules/index.ts";
import { walkModel } from "../../../src/onnx/rules/walk.ts";
import {
  makeTensor,
  type NamedTensor,
  readArrays,
  type Tensor,
} from "../../../src/tensor/index.ts";
import { evaluateFloat } from "../../ops/evaluate.ts";

const shared = new URL("../../../../shared/", import.meta.url).pathname;
const conformance = `${shared}corpus/onnx_conformance/`;
const isHere = existsSync(`${conformance}INDEX.csv`);
if (!isHere) console.warn(`${shared} is absent: the import was NOT held against the ONNX cases`);

/**
 * The suites give axes, shapes, slopes and the like as inputs, which a real model has as constants. So each
 * case is tried as it is, with all inputs but the first made constants, and with all of them constants.
 */
type Attempt = "as it is" | "first input free" | "all constant";
const attempts: readonly Attempt[] = ["as it is", "first input free", "all constant"];

/** Largest difference from the official outputs: they are computed in float32, some in float16. */
const tolerance = 1e-5;
const float16Tolerance = 1e-3;
/** Cases whose official outputs were rounded to four digits. */
const rounded = new Set(["node/test_averagepool_2d_ceil_last_window_starts_on_pad"]);

/** Cases whose answer is another by intent, and why. */
const excused: ReadonlyMap<string, string> = new Map([
  ["node/test_triu_zero", "an extent of 0 in front is taken for a batch"],
  [
    "node/test_attention_4d_softcap_neginf_mask_poison",
    "a soft cap before a mask of values that are no numbers",
  ],
  [
    "node/test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal",
    "scores that are masked are far below the others and not minus infinity",
  ],
]);

interface Case {
  readonly folder: string;
  readonly model: OnnxModel;
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
}

function readCase(folder: string): Case {
  const model = readModel(`${conformance}${folder}/model.onnx`);
  const read = (kind: "input" | "output") => (_: unknown, i: number) =>
    readArrays(`${conformance}${folder}/test_data_set_0/${kind}_${i}.pb`)[0];
  const inputs = model.graph.inputs.map(read("input"));
  return { folder, model, inputs, outputs: model.graph.outputs.map(read("output")) };
}

/** The model with some of its inputs made constants. */
function freeze({ model, inputs }: Case, from: number): OnnxModel {
  const { graph } = model;
  const initializers = new Map(graph.initializers);
  graph.inputs.forEach(({ name }, i) => {
    const { tensor, elementType } = inputs[i];
    if (i >= from) initializers.set(name, { ...tensor, elementType });
  });
  return { ...model, graph: { ...graph, inputs: graph.inputs.slice(0, from), initializers } };
}

/** The outputs that the import gives for the case's inputs; `undefined` where it refuses. */
function tryCase(subject: Case, attempt: Attempt): readonly Tensor[] | Nn2fpgaError {
  const { graph } = subject.model;
  if (attempt === "all constant") {
    const { operands, outcomes } = walkModel(freeze(subject, 0));
    const problems = outcomes.flatMap((outcome) => outcome.problems);
    if (problems.length > 0) return new Nn2fpgaError(problems);
    return graph.outputs.map(({ name }) => {
      const operand = operands.get(name);
      if (typeof operand !== "object" || operand.kind !== "const") throw new Error("not folded");
      return operand.data;
    });
  }
  try {
    const imported = importModel(attempt === "as it is" ? subject.model : freeze(subject, 1));
    const inputs = new Map(
      inputsOf(imported).map(({ id, shape }, i) => {
        // The reader takes an extent of 0 for unknown, and the import that for the batch.
        return [id as string, { ...subject.inputs[i].tensor, shape }];
      }),
    );
    return [...evaluateFloat(imported, inputs).values()];
  } catch (error) {
    if (error instanceof Nn2fpgaError) return error;
    throw error;
  }
}

/** What differs from the official outputs, in words; empty where nothing does. */
function difference(
  folder: string,
  actual: readonly Tensor[],
  expected: readonly NamedTensor[],
): string {
  return expected
    .map(({ tensor, elementType }, i) => {
      const { shape, dtype, data } = actual[i];
      if (shape.join() !== tensor.shape.join()) return `shape [${shape}], not [${tensor.shape}]`;
      if (dtype !== tensor.dtype) return `${dtype}, not ${tensor.dtype}`;
      const isCoarse = elementType === "float16" || rounded.has(folder);
      const limit = isCoarse ? float16Tolerance : tolerance;
      const errors = Array.from(tensor.data, (y, k) =>
        Object.is(y, data[k]) || y === data[k]
          ? 0
          : Math.abs(y - data[k]) / Math.max(Math.abs(y), 1e-2),
      );
      const worst = errors.findIndex((error) => !(error <= limit));
      return worst < 0 ? "" : `${data[worst]} at ${worst}, not ${tensor.data[worst]}`;
    })
    .filter((text) => text !== "")
    .join("; ");
}

function casesOf(suite: RegExp): string[] {
  const known = new Set(rules.map(({ op }) => op));
  const [, ...rows] = readFileSync(`${conformance}INDEX.csv`, "utf8").trim().split("\n");
  return rows.flatMap((row) => {
    const [folder, , , operators, opset] = row.split(",");
    const isRead =
      Number(opset) >= minOpset && operators.split(" ").every((operator) => known.has(operator));
    return suite.test(folder) && isRead ? [folder] : [];
  });
}

describe.skipIf(!isHere)("the cases of the ONNX project", () => {
  it.each(["node", "legacy", "simple", "pytorch-converted", "pytorch-operator"])(
    "%s: what is imported computes the official outputs",
    (suite) => {
      const folders = casesOf(new RegExp(`^${suite}/`));
      const passed = new Map<Attempt, number>();
      const wrong: string[] = [];
      const nowhere = new Map<string, string>();
      for (const folder of folders) {
        const subject = readCase(folder);
        const errors: Nn2fpgaError[] = [];
        for (const attempt of attempts) {
          const outputs = tryCase(subject, attempt);
          if (outputs instanceof Nn2fpgaError) {
            errors.push(outputs);
            continue;
          }
          passed.set(attempt, (passed.get(attempt) ?? 0) + 1);
          const text = difference(folder, outputs, subject.outputs);
          if (text !== "" && !excused.has(folder)) wrong.push(`${folder}, ${attempt}: ${text}`);
        }
        if (errors.length === attempts.length) nowhere.set(folder, errors[1].message);
      }
      const counts = attempts.map((attempt) => `${passed.get(attempt) ?? 0} ${attempt}`);
      console.info(`${suite}: ${folders.length} cases; imported ${counts.join(", ")}`);
      expect(wrong).toEqual([]);
      expect(Object.fromEntries(nowhere)).toEqual({});
    },
  );
});

describe.skipIf(!isHere)("real networks", () => {
  const models = `${shared}corpus/models/`;

  it.each([
    "hls4ml-jet-3layer-mlp",
    "acas-xu-1-1",
    "mlperf-ad-autoencoder",
    "self-attention-mnist",
  ])("%s computes what ONNX Runtime computes", (id) => {
    const graph = importModel(readModel(`${models}${id}/model.onnx`));
    const sets = readdirSync(`${models}${id}`).filter((name) => name.startsWith("test_data_set_"));
    expect(sets.length).toBeGreaterThan(0);
    for (const set of sets) {
      const read = (name: string) => readArrays(`${models}${id}/${set}/${name}_0.pb`)[0].tensor;
      const [y] = evaluate(graph, read("input"));
      expect(y.shape).toEqual(read("output").shape);
      expect(largestError(y, read("output"))).toBeLessThan(1e-4);
    }
  });

  it("w1 computes the float answers of the workload", () => {
    const arrays = new Map(
      readArrays(`${shared}workloads/w1.npz`).map(({ name, tensor }) => [name, tensor.data]),
    );
    const [x, yf] = ["x", "yf"].map((name) => arrays.get(name) as Float64Array);
    const graph = importModel(readModel(`${shared}workloads/w1_float.onnx`));
    for (let i = 0; i < 64; i++) {
      const [y] = evaluate(graph, makeTensor([1, 16], x.slice(16 * i, 16 * i + 16)));
      expect(largestError(y, makeTensor([1, 5], yf.slice(5 * i, 5 * i + 5)))).toBeLessThan(1e-12);
    }
  });

  it.each([16, 32, 64].flatMap((n) => [4, 6, 8].map((bits) => `w2_${n}_${bits}`)))(
    "%s is the matrix of the workload",
    (id) => {
      const graph = importModel(readModel(`${shared}workloads/${id}.onnx`));
      const [{ tensor: matrix }] = readArrays(`${shared}workloads/${id}.npy`);
      const [n] = matrix.shape;
      for (let row = 0; row < n; row++) {
        const unit = new Float64Array(n).fill(1, row, row + 1);
        const [y] = evaluate(graph, makeTensor([1, n], unit));
        expect(y.data).toEqual(matrix.data.slice(row * n, row * n + n));
      }
    },
  );
});

function evaluate(graph: Graph, x: Tensor): readonly Tensor[] {
  const [{ id }] = inputsOf(graph);
  return [...evaluateFloat(graph, new Map([[id as string, x]])).values()];
}

/** Largest difference, relative to the largest answer. */
function largestError(actual: Tensor, expected: Tensor): number {
  const top = expected.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return (
    expected.data.reduce((worst, y, i) => Math.max(worst, Math.abs(y - actual.data[i])), 0) / top
  );
}
