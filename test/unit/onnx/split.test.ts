import type { onnx } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { decodeModel, splitModel } from "../../../src/onnx/index.ts";
import { problemOf } from "../../support/problem.ts";
import { floats, modelBytes, path, value } from "./build.ts";

const node = (opType: string, input: string[], output: string): onnx.INodeProto => ({
  name: output,
  opType,
  input,
  output: [output],
});

/** x -> relu -> h -> mul w -> s -> add -> y, where the add may also read another value. */
function chain(other: string): Uint8Array {
  return modelBytes({
    node: [
      node("Relu", ["x"], "h"),
      node("Mul", ["h", "w"], "s"),
      node("Add", ["s", other], "y"),
      node("Neg", ["y"], "z"),
    ],
    output: [value("y", [1, 4]), value("z", [1, 4])],
    initializer: [floats("w", [1, 2, 3, 4]), floats("b", [4, 3, 2, 1])],
  });
}

const names = (bytes: Uint8Array) => {
  const { graph } = decodeModel(bytes, path);
  return {
    inputs: graph.inputs.map(({ name }) => name),
    nodes: graph.nodes.map(({ name }) => name),
    outputs: graph.outputs.map(({ name }) => name),
    weights: [...graph.initializers.keys()],
  };
};

describe("splitModel", () => {
  it("gives each half its nodes, its weights and the value between them", () => {
    const { front, rest } = splitModel(chain("b"), path, "s");
    expect(names(front)).toEqual({
      inputs: ["x"],
      nodes: ["h", "s"],
      outputs: ["s"],
      weights: ["w"],
    });
    expect(names(rest)).toEqual({
      inputs: ["s"],
      nodes: ["y", "z"],
      outputs: ["y", "z"],
      weights: ["b"],
    });
  });

  it("refuses a value that does not divide the model, and says which input goes around it", () => {
    expect(problemOf(() => splitModel(chain("h"), path, "s"))).toMatchObject({
      code: "N2F_OPTION_INVALID",
      at: "--until",
      message: '"s" does not divide the model: outputs also depend on "x" by other ways',
    });
    expect(names(splitModel(chain("h"), path, "h").rest).nodes).toEqual(["s", "y", "z"]);
  });

  it("refuses a value that is not computed, and names those that are", () => {
    for (const name of ["nothing", "x", "w"]) {
      expect(problemOf(() => splitModel(chain("b"), path, name))).toMatchObject({
        code: "N2F_OPTION_INVALID",
        message: `the model computes no value "${name}"`,
        hint: "Its values are h, s, y, z; `nn2fpga inspect` lists the nodes.",
      });
    }
  });
});
