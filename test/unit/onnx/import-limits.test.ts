import { describe, expect, it } from "vitest";
import { importModel, surveyModel } from "../../../src/onnx/index.ts";
import { problemOf } from "../../support/problem.ts";
import { type AttributeText, modelOf, node, tensor } from "./import-fixtures.ts";

const int64s = (...data: number[]) => tensor([data.length], data, "int64");
const shape = [1, 1, 4, 4];

type Case = readonly [
  string,
  Parameters<typeof node>[0],
  number[],
  Record<string, AttributeText>,
  number,
];

/** Sizes and pads that would fill the memory, or take minutes, were they worked out. */
const cases: readonly Case[] = [
  ["Resize", "Resize", [1, 16_777_216, 2 ** 31, 10], { mode: "cubic" }, 268_435_456],
  ["Resize to one long axis", "Resize", [1, 1, 4, 2 ** 27], { mode: "nearest" }, 19 * 2 ** 27],
  ["Pad", "Pad", [0, 0, 0, 0, 0, 0, 0, 2 ** 26], { mode: "reflect" }, 2 ** 26 + 4],
];

describe("results that would be listed number by number", () => {
  it.each(cases)("%s is refused before that", (_, opType, list, attributes, count) => {
    const inputs = opType === "Resize" ? ["x", "", "", "list"] : ["x", "list"];
    const model = modelOf({
      nodes: [node(opType, inputs, ["y"], attributes)],
      inputs: { x: shape },
      outputs: ["y"],
      constants: { list: int64s(...list) },
    });
    const before = process.cpuUsage();
    expect(problemOf(() => importModel(model))).toEqual({
      code: "N2F_ONNX_SHAPE",
      message: `its result would be made of a list of ${count} numbers`,
      at: `y (${opType})`,
      hint: "Up to 16777216 are worked out for a node; check the shapes, scales and sizes that it is given.",
    });
    expect(surveyModel(model)[0].status).toBe("unsupported");
    expect(process.cpuUsage(before).user).toBeLessThan(2e6);
  });

  const large = (opType: string, more: readonly string[] = [], ...axis: number[]) =>
    modelOf({
      nodes: [node(opType, ["x", ...more], ["y"])],
      inputs: { x: [8192, 8192] },
      outputs: ["y"],
      constants: { list: int64s(...axis) },
      opset: 14,
    });

  it.each([
    ["Trilu", large("Trilu")],
    ["CumSum", large("CumSum", ["list"], 1)],
    ["EyeLike", large("EyeLike")],
  ])("%s of a very large matrix is refused before that", (opType, model) => {
    expect(problemOf(() => importModel(model))).toMatchObject({
      code: "N2F_ONNX_SHAPE",
      message: `its result would be made of a list of ${2 ** 26} numbers`,
      at: `y (${opType})`,
    });
  });

  it.each(["ScatterND", "GatherND"])("%s of large blocks is refused before that", (opType) => {
    const isScatter = opType === "ScatterND";
    const model = modelOf({
      nodes: [node(opType, isScatter ? ["x", "rows", "x"] : ["x", "rows"], ["y"])],
      inputs: { x: [1, 4, 2 ** 24] },
      outputs: ["y"],
      constants: { rows: tensor([1, 1], [0], "int64") },
    });
    expect(problemOf(() => importModel(model))).toMatchObject({
      code: "N2F_ONNX_SHAPE",
      message: `its result would be made of a list of ${2 ** 26} numbers`,
      at: `y (${opType})`,
    });
  });

  it("a large product of constants is refused before it is worked out", () => {
    const model = (n: number) =>
      modelOf({
        nodes: [
          node("Expand", ["one", "list"], ["a"]),
          node("MatMul", ["a", "a"], ["b"]),
          node("ReduceMean", ["b"], ["c"], { keepdims: 0 }),
          node("Add", ["x", "c"], ["y"]),
        ],
        inputs: { x: shape },
        outputs: ["y"],
        constants: { one: tensor([1, 1], [1]), list: int64s(n, n) },
      });
    expect(problemOf(() => importModel(model(32)))).toBeUndefined();
    expect(problemOf(() => importModel(model(1024)))).toEqual({
      code: "N2F_ONNX_SHAPE",
      message: "a product of constants takes 1073741824 multiplications",
      at: "b (MatMul)",
      hint: "Up to 536870912 are done here; check the shapes, or put the result into the model as an initializer.",
    });
  });

  it("sizes that pictures have are taken", () => {
    const model = modelOf({
      nodes: [node("Resize", ["x", "", "", "list"], ["y"], { mode: "linear" })],
      inputs: { x: [1, 1, 270, 480] },
      outputs: ["y"],
      constants: { list: int64s(1, 1, 1080, 1920) },
    });
    expect(problemOf(() => importModel(model))).toBeUndefined();
  });
});
