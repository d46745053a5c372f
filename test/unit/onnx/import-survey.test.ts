import { expect, it } from "vitest";
import { surveyModel } from "../../../src/onnx/index.ts";
import { list, modelOf, node, tensor } from "./import-fixtures.ts";

const weights = tensor([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);

/** A constant in a report. */
const constant = (name: string, ...shape: number[]) => ({
  name,
  shape,
  dtype: "float",
  isConstant: true,
});
const computed = (name: string, ...shape: number[]) => ({ name, shape, dtype: "float" });

it("tells of every node what it becomes and what it costs", () => {
  const model = modelOf({
    nodes: [
      node("Transpose", ["w"], ["wt"]),
      node("Gemm", ["x", "wt", "b"], ["h"], { transB: 1 }, "fc"),
      node("MatMul", ["x", "w"], ["again"]),
      node("DeformConv", ["h", "k"], ["c"], {}, "conv"),
      node("Relu", ["c"], ["r"]),
      node("Max", ["h", "h", "again"], ["m"]),
    ],
    outputs: ["r", "m"],
    constants: { w: weights, b: tensor([2], [0, 0]), k: tensor([9], [1, 2, 3, 4, 5, 6, 7, 8, 9]) },
  });
  const common = { domain: "", opset: 13 };
  expect(surveyModel(model)).toEqual([
    {
      ...common,
      name: "wt",
      opType: "Transpose",
      inputs: [constant("w", 4, 2)],
      outputs: [constant("wt", 2, 4)],
      status: "folded",
      kernel: [],
      parameters: 0,
      macs: 0,
    },
    {
      ...common,
      name: "fc",
      opType: "Gemm",
      inputs: [computed("x", 1, 4), constant("wt", 2, 4), constant("b", 2)],
      outputs: [{ name: "h", shape: [1, 2], dtype: "float" }],
      status: "supported",
      kernel: ["gemm"],
      parameters: 10,
      macs: 8,
    },
    {
      ...common,
      name: "again",
      opType: "MatMul",
      inputs: [computed("x", 1, 4), constant("w", 4, 2)],
      outputs: [{ name: "again", shape: [1, 2], dtype: "float" }],
      status: "supported",
      kernel: ["matmul"],
      parameters: 8,
      macs: 8,
    },
    {
      ...common,
      name: "conv",
      opType: "DeformConv",
      inputs: [computed("h", 1, 2), constant("k", 9)],
      outputs: [{ name: "c" }],
      status: "unsupported",
      kernel: [],
      reason: expect.stringContaining("depends on the data"),
      hint: expect.stringContaining("fixed positions"),
      parameters: 9,
      macs: 0,
    },
    {
      ...common,
      name: "r",
      opType: "Relu",
      inputs: [{ name: "c" }],
      outputs: [{ name: "r" }],
      status: "unknown",
      kernel: [],
      parameters: 0,
      macs: 0,
    },
    {
      ...common,
      name: "m",
      opType: "Max",
      inputs: [computed("h", 1, 2), computed("h", 1, 2), computed("again", 1, 2)],
      outputs: [{ name: "m", shape: [1, 2], dtype: "float" }],
      status: "supported",
      kernel: ["max", "max"],
      parameters: 0,
      macs: 0,
    },
  ]);
});

it("goes on behind an unsupported node where the file notes the shape", () => {
  const model = modelOf({
    nodes: [
      node("DeformConv", ["x", "w"], ["c"]),
      node("Reshape", ["c", "shape"], ["flat"]),
      node("MatMul", ["flat", "w"], ["y"]),
    ],
    outputs: ["y"],
    constants: { w: weights, shape: list(0, -1) },
    valueInfo: [{ name: "c", shape: ["N", 2, 2], elementType: "float32" }],
  });
  const reports = surveyModel(model);
  expect(reports.map(({ status, macs }) => [status, macs])).toEqual([
    ["unsupported", 0],
    ["supported", 0],
    ["supported", 8],
  ]);
  expect(reports[2].outputs[0].shape).toEqual([1, 2]);
});
