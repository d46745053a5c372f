import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type OnnxModel, readModel } from "../../src/onnx/index.ts";
import { type NamedTensor, readArrays } from "../../src/tensor/index.ts";
import { sharedPath } from "../support/shared.ts";

/** The folder of the ONNX project's cases; nothing where it is absent. */
export const casesFolder = sharedPath("corpus", "onnx_conformance");

/** One row of `INDEX.csv`. */
export interface CaseEntry {
  /** `node/test_abs`, or `light/light_vgg19.onnx`. */
  readonly folder: string;
  /** The operator that the case is about; `(multi)` and `(light)` are whole networks. */
  readonly primary: string;
}

export interface Case extends CaseEntry {
  readonly model: OnnxModel;
  /** In the order of the graph's inputs and outputs. */
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
}

export function listCases(): CaseEntry[] {
  if (casesFolder === undefined) return [];
  const [, ...rows] = readFileSync(join(casesFolder, "INDEX.csv"), "utf8").trim().split("\n");
  return rows.map((row) => {
    const [folder, , primary] = row.split(",");
    return { folder, primary };
  });
}

export const isLight = ({ folder }: CaseEntry): boolean => folder.startsWith("light/");

export function readCaseModel({ folder }: CaseEntry): OnnxModel {
  const path = join(casesFolder as string, folder);
  return readModel(folder.endsWith(".onnx") ? path : join(path, "model.onnx"));
}

/** @throws what `readModel` and `readArrays` throw */
export function readCase(entry: CaseEntry): Case {
  const model = readCaseModel(entry);
  const path = join(casesFolder as string, entry.folder);
  const { graph } = model;
  if (isLight(entry)) {
    const inputs = graph.inputs.map(({ shape }) => rampInput(shape as readonly number[]));
    const stem = path.replace(/\.onnx$/, "");
    const outputs = graph.outputs.map((_, i) => readArrays(`${stem}_output_${i}.pb`)[0]);
    return { ...entry, model, inputs, outputs };
  }
  const read = (kind: "input" | "output") => (_: unknown, i: number) => {
    const file = join(path, "test_data_set_0", `${kind}_${i}.pb`);
    return existsSync(file) ? readArrays(file)[0] : rampInput([]);
  };
  return {
    ...entry,
    model,
    inputs: graph.inputs.map(read("input")),
    outputs: graph.outputs.map(read("output")),
  };
}

/** What the ONNX project feeds to its big graphs: arange(n) / n in float32. */
function rampInput(shape: readonly number[]): NamedTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float64Array.from({ length: size }, (_, i) => Math.fround(i / size));
  return { name: "", tensor: { shape, dtype: "float", data }, elementType: "float32" };
}
