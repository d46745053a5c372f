import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Nn2fpgaError, type Problem } from "../../../src/base/index.ts";
import { graphProblems } from "../../../src/ir/index.ts";
import { importModel, type OnnxModel, surveyModel } from "../../../src/onnx/index.ts";
import { networkOperators, rules } from "../../../src/onnx/rules/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { type Shape, sizeOf } from "../../../src/tensor/index.ts";
import { arbitraryShape } from "../../arbitrary/tensors.ts";
import { type AttributeText, modelOf, node, tensor } from "./import-fixtures.ts";

function reasonOf(opType: string, localFunctions: readonly string[] = []): string {
  const model = modelOf({ nodes: [node(opType, ["x"], ["y"])], outputs: ["y"], localFunctions });
  const [{ status, reason, hint }] = surveyModel(model);
  expect(status).toBe("unsupported");
  expect(hint).toMatch(/\.$/);
  return `${reason} | ${hint}`;
}

describe("what there is no rule for", () => {
  it.each([
    ["com.microsoft:QLinearReduceMean", "no rule for this quantized operator"],
    ["com.microsoft:MatMulNBits", "no rule for this quantized operator"],
    ["onnx.brevitas:FloatQuant", "small floating-point type"],
    ["DynamicQuantizeLinear", "its scale depends on the data"],
    ["finn.custom_op.fpgadataflow:MatrixVectorActivation", "FINN's own hardware"],
    ["finn.custom_op.fpgadataflow.rtl:MVAU_rtl", "FINN's own hardware"],
    ["ai.onnx.ml:TreeEnsembleClassifier", "conifer"],
    ["ai.onnx.ml:Scaler", "classical machine learning"],
    ["DeformConv", "depends on the data"],
    ["GridSample", "depends on the data"],
    ["MaxUnpool", "positions that the network computes"],
    ["If", "control flow"],
    ["Loop", "control flow"],
    ["RandomNormalLike", "random"],
    ["ai.onnx.preview.training:Adam", "step of training"],
    ["SequenceAt", "sequences, text"],
    ["com.microsoft:FusedMatMul", "ONNX Runtime's own"],
    ["my.domain:Thing", "operators of the domain my.domain are not known"],
    ["Det", "there is no rule for this operator"],
  ])("%s: %s", (opType, words) => {
    expect(reasonOf(opType)).toContain(words);
  });

  it("tells functions of the model from operators", () => {
    expect(reasonOf("my.domain:Block", ["my.domain:Block"])).toContain("inline_local_functions");
    expect(reasonOf("Relu", ["Relu"])).toContain("the model defines this operator itself");
  });

  it("names the operators that are read", () => {
    expect(reasonOf("Det")).toContain(`docs/operators.md lists all ${networkOperators.length}`);
    expect(reasonOf("matmul")).toContain("Did you mean MatMul?");
    expect(networkOperators).not.toContain("Range");
  });
});

/** What the import says of a model; where it says nothing the graph is sound. */
function problemsOf(model: OnnxModel): readonly Problem[] {
  try {
    expect(graphProblems(importModel(model), ops)).toEqual([]);
    return [];
  } catch (error) {
    if (error instanceof Nn2fpgaError) return error.problems;
    throw error;
  }
}

describe("nodes of any kind", () => {
  const attribute: fc.Arbitrary<AttributeText> = fc.oneof(
    fc.integer({ min: -4, max: 4 }),
    fc.constant("text"),
    fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 3 }),
    fc.double().map((float) => ({ float })),
    fc.constant(tensor([1], [2])),
  );
  const names = [
    "axis",
    "axes",
    "alpha",
    "beta",
    "transA",
    "perm",
    "keepdims",
    "to",
    "value",
    "value_ints",
    "epsilon",
    "training_mode",
    "is_test",
    "starts",
    "ends",
    "allowzero",
    "min",
    "max",
    "kernel_shape",
    "strides",
    "dilations",
    "pads",
    "auto_pad",
    "group",
    "ceil_mode",
    "mode",
    "start",
    "end",
    "blocksize",
    "num_groups",
    "hidden_size",
    "layout",
    "batch_dims",
    "upper",
    "exclusive",
    "p",
    "k",
    "largest",
    "split",
    "num_outputs",
    "equation",
    "reduction",
    "time_axis",
    "q_num_heads",
    "kv_num_heads",
  ];
  const operand = fc.record({
    shape: fc.oneof(
      arbitraryShape(0, 3, 4),
      fc.array(fc.nat({ max: 2 }), { maxLength: 2 }) as fc.Arbitrary<Shape>,
    ),
    data: fc.array(fc.oneof(fc.integer({ min: -3, max: 5 }), fc.double()), {
      minLength: 64,
      maxLength: 64,
    }),
    type: fc.constantFrom("float32", "int64", "bool"),
    kind: fc.constantFrom("const", "const", "input", "absent"),
  });

  it("are imported or refused with a place and a hint, and never fail otherwise", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...rules.map(({ op }) => op)),
        fc.array(operand, { maxLength: 5 }),
        fc.dictionary(fc.constantFrom(...names), attribute, { maxKeys: 4 }),
        fc.integer({ min: 6, max: 23 }),
        (opType, operands, attributes, opset) => {
          const inputs = operands.map(({ kind }, i) => (kind === "absent" ? "" : `v${i}`));
          const free = operands.flatMap(({ kind, shape }, i) =>
            kind === "input"
              ? [[`v${i}`, shape.map((extent: number) => extent || 1)] as const]
              : [],
          );
          const fixed = operands.flatMap(({ kind, shape, data, type }, i) =>
            kind === "const"
              ? [[`v${i}`, tensor(shape, data.slice(0, sizeOf(shape)), type as "int64")] as const]
              : [],
          );
          const model = modelOf({
            nodes: [node(opType, inputs, ["y"], attributes)],
            inputs: Object.fromEntries(free),
            constants: Object.fromEntries(fixed),
            outputs: ["y"],
            opset,
          });
          for (const { at, hint, message } of problemsOf(model)) {
            expect(at).toMatch(/^y \((\w+)\)$/);
            expect(hint).toMatch(/\.$/);
            expect(message).toMatch(/^\S.*[^.]$/);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

it("refuses integers where the standard has floating-point numbers alone", () => {
  const base = modelOf({ nodes: [node("Softmax", ["x"], ["y"])], outputs: ["y"] });
  const inputs = [{ name: "x", shape: [2, 4], elementType: "int8" as const }];
  const [report] = surveyModel({ ...base, graph: { ...base.graph, inputs } });
  expect(report.reason).toBe("it takes floating-point numbers, and its input is of type int");
  expect(report.hint).toBe("Cast the input to float in the model.");
});

it("refuses extents that no memory has", () => {
  const model = modelOf({
    nodes: [node("Pad", ["x", "pads"], ["y"], { mode: "edge" })],
    outputs: ["y"],
    constants: { pads: tensor([4], [0, 0, 0, 2 ** 40]) },
  });
  const [report] = surveyModel(model);
  expect(report.status).toBe("unsupported");
  expect(report.reason).toMatch(/^its result would be made of a list of \d+ numbers$/);
});

describe("logic of what are no truth values", () => {
  const inputs = (conditionType: "bool" | "float32") =>
    ["c", "x"].map((name) => ({
      name,
      shape: [2, 4],
      elementType: name === "c" ? conditionType : ("bool" as const),
    }));
  const of = (opType: string, names: readonly string[], type: "bool" | "float32") => {
    const base = modelOf({ nodes: [node(opType, names, ["y"])], outputs: ["y"], opset: 16 });
    return problemsOf({ ...base, graph: { ...base.graph, inputs: inputs(type) } });
  };

  it.each([
    ["Where", ["c", "x", "x"]],
    ["And", ["x", "c"]],
    ["Or", ["c", "x"]],
    ["Xor", ["x", "c"]],
    ["Not", ["c"]],
  ])("%s is refused", (opType, names) => {
    expect(of(opType, names, "bool")).toEqual([]);
    expect(of(opType, names, "float32")).toEqual([
      {
        code: "N2F_ONNX_DTYPE",
        message: "it takes truth values, and is given type float",
        at: `y (${opType})`,
        hint: "Compare the numbers in the model, or cast them to bool.",
      },
    ]);
  });
});

it("refuses truth values in attributes that are neither 0 nor 1", () => {
  const model = modelOf({
    nodes: [node("ReduceMax", ["x"], ["y"], { axes: [1], keepdims: 3 })],
    outputs: ["y"],
  });
  expect(problemsOf(model)).toMatchObject([
    {
      code: "N2F_OP_ATTRIBUTE",
      message: "attribute keepdims is 3, and can only be 0 or 1",
      at: "y (ReduceMax)",
    },
  ]);
});

it.each(["MatMul", "Gemm"])("refuses %s of two types", (opType) => {
  const model = modelOf({
    nodes: [node("Cast", ["x"], ["i"], { to: 6 }), node(opType, ["i", "w"], ["y"])],
    constants: { w: tensor([4, 1], [1, 2, 3, 4]) },
    outputs: ["y"],
  });
  expect(problemsOf(model)).toMatchObject([
    { code: "N2F_ONNX_DTYPE", message: "type int meets type float", at: `y (${opType})` },
  ]);
});
