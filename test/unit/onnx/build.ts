import onnxProto, { type onnx } from "onnx-proto";
import { decodeModel, type OnnxModel } from "../../../src/onnx/index.ts";
import { problemOf } from "../../support/problem.ts";

export const path = "net/model.onnx";

/** A relu from `x` to `y`, with whatever is given in place of its parts. */
export function modelBytes(graph: onnx.IGraphProto = {}, model: onnx.IModelProto = {}): Uint8Array {
  return onnxProto.onnx.ModelProto.encode({
    irVersion: 8,
    producerName: "test",
    opsetImport: [{ domain: "", version: 13 }],
    graph: {
      name: "net",
      node: [{ opType: "Relu", input: ["x"], output: ["y"] }],
      input: [value("x", [1, 4])],
      output: [value("y", [1, 4])],
      ...graph,
    },
    ...model,
  }).finish();
}

export function value(
  name: string,
  shape: readonly (number | string)[] = [],
): onnx.IValueInfoProto {
  const dim = shape.map((d) => (typeof d === "string" ? { dimParam: d } : { dimValue: d }));
  return { name, type: { tensorType: { elemType: 1, shape: { dim } } } };
}

export function floats(name: string, data: readonly number[]): onnx.ITensorProto {
  const rawData = new Uint8Array(Float32Array.from(data).buffer);
  return { name, dataType: 1, dims: [data.length], rawData };
}

export function read(graph: onnx.IGraphProto = {}, model: onnx.IModelProto = {}): OnnxModel {
  return decodeModel(modelBytes(graph, model), path);
}

/** The problem of a model that is not read, as `code: message`. */
export function refusal(graph: onnx.IGraphProto = {}, model: onnx.IModelProto = {}): string {
  const problem = problemOf(() => read(graph, model));
  if (problem === undefined) return "read without a problem";
  if (problem.at !== path || problem.hint === undefined) return "a problem without place or hint";
  return `${problem.code}: ${problem.message}`;
}
