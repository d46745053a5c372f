import { describe, expect, it } from "vitest";
import { Nn2fpgaError } from "../../../src/base/index.ts";
import { graphProblems, printGraph } from "../../../src/ir/index.ts";
import { importModel, type OnnxModel } from "../../../src/onnx/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { list, type ModelText, modelOf, node, tensor } from "./import-fixtures.ts";

function imported(text: ModelText): string {
  const graph = importModel(modelOf(text));
  expect(graphProblems(graph, ops)).toEqual([]);
  return printGraph(graph);
}

function refusal(model: OnnxModel): string {
  try {
    importModel(model);
  } catch (error) {
    if (error instanceof Nn2fpgaError) return error.message;
    throw error;
  }
  throw new Error("the model was imported");
}

describe("importModel", () => {
  it("says a network with our operators, under the model's names", () => {
    const text = imported({
      nodes: [
        node("Gemm", ["x", "w", "b"], ["h"], { transB: 1 }, "fc1"),
        node("LeakyRelu", ["h"], ["a"], { alpha: { float: 0.125 } }),
        node("Neg", ["a"], ["y"]),
      ],
      outputs: ["y"],
      constants: { w: tensor([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]), b: tensor([2], [0.5, -1]) },
    });
    expect(text).toBe(`graph "net" {
  input "x": float[1,4] from "x" "Input"
  const "w": float[2,4] = {1, 2, 3, 4, 5, 6, 7, 8} from "w" "Initializer"
  const "b": float[2] = {0.5, -1} from "b" "Initializer"
  "h": float[1,2] = gemm("x", "w", "b") {alpha=1, beta=1, transA=false, transB=true} from "fc1" "Gemm"
  const "a.slope": float[] = {0.125} from "a" "LeakyRelu"
  "a": float[1,2] = prelu("h", "a.slope") from "a" "LeakyRelu"
  const "y.const": float[] = {-1} from "y" "Neg"
  "y": float[1,2] = mul("a", "y.const") from "y" "Neg"
  output "y" = "y"
}
`);
  });

  it("works out the arithmetic of shapes", () => {
    const text = imported({
      inputs: { x: ["batch", 2, 3] },
      nodes: [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"]),
        node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], { axis: 0 }),
        node("Reshape", ["x", "target"], ["y"]),
      ],
      outputs: ["y"],
      constants: { zero: tensor([], [0], "int64"), axes: list(0), rest: list(-1) },
    });
    expect(text).toBe(`graph "net" {
  input "x": float[1,2,3] from "x" "Input"
  "y": float[1,6] = reshape("x") {shape=[1, 6]} from "y" "Reshape"
  output "y" = "y"
}
`);
  });

  it("gives a folded constant the name that the model has for it", () => {
    const text = imported({
      nodes: [node("Transpose", ["w"], ["wt"], {}, "turn"), node("MatMul", ["x", "wt"], ["y"])],
      outputs: ["y"],
      constants: { w: tensor([1, 4], [1, 2, 3, 4]) },
    });
    expect(text).toContain('const "wt": float[4,1] = {1, 2, 3, 4} from "turn" "Transpose"');
  });

  it("keeps away from names that the model uses further on", () => {
    const text = imported({
      nodes: [
        node("Neg", ["x"], ["y"], {}, "n"),
        node("Relu", ["y"], ["n.const"]),
        node("Add", ["n.const", "x"], ["z"]),
      ],
      outputs: ["z"],
    });
    expect(text).toContain('const "n.const_1": float[] = {-1} from "n" "Neg"');
    expect(text).toContain('"n.const": float[1,4] = relu("y") from "n.const" "Relu"');
  });

  it("takes several arguments two by two, and several axes one by one", () => {
    const text = imported({
      inputs: { x: ["N", 4], z: ["N", 4] },
      nodes: [
        node("Sum", ["x", "z", "x"], ["s"]),
        node("ReduceSum", ["s", "axes"], ["y"], { keepdims: 0 }),
      ],
      outputs: ["y"],
      constants: { axes: list(0, -1) },
    });
    expect(text).toContain(`"s.add": float[1,4] = add("x", "z") from "s" "Sum"
  "s": float[1,4] = add("s.add", "x") from "s" "Sum"
  "y.reduce_sum": float[1] = reduce_sum("s") {axis=1, keepdims=false, last=false} from "y" "ReduceSum"
  "y": float[] = reduce_sum("y.reduce_sum") {axis=0, keepdims=false, last=false} from "y" "ReduceSum"`);
  });

  it("knows what operators meant in older versions", () => {
    const softmax = {
      nodes: [node("Softmax", ["x"], ["y"])],
      inputs: { x: ["N", 2, 3] },
      outputs: ["y"],
    };
    expect(imported({ ...softmax, opset: 13 })).toContain('softmax("x") {axis=2}');
    expect(
      imported({ ...softmax, opset: 11 }),
    ).toContain(`"y.reshape": float[1,6] = reshape("x") {shape=[1, 6]} from "y" "Softmax"
  "y.softmax": float[1,6] = softmax("y.reshape") {axis=1} from "y" "Softmax"
  "y": float[1,2,3] = reshape("y.softmax") {shape=[1, 2, 3]} from "y" "Softmax"`);

    const clip = node("Clip", ["x"], ["y"], {
      max: { float: 6 },
      min: { float: -3.4028234663852886e38 },
    });
    expect(imported({ nodes: [clip], outputs: ["y"], opset: 10 })).toContain(
      'clip("x") {min=-inf, max=6}',
    );
    const bounded = node("Clip", ["x", "", "top"], ["y"]);
    expect(
      imported({ nodes: [bounded], outputs: ["y"], constants: { top: tensor([], [6]) } }),
    ).toContain('clip("x") {min=-inf, max=6}');

    const add = node("Add", ["x", "b"], ["y"], { axis: 1, broadcast: 1 });
    expect(
      imported({
        nodes: [add],
        inputs: { x: ["N", 2, 3] },
        outputs: ["y"],
        constants: { b: tensor([2], [1, 2]) },
        opset: 6,
      }),
    ).toContain('const "y.reshape": float[2,1] = {1, 2}');
  });

  it("changes between float, int and bool", () => {
    const text = imported({
      nodes: [
        node("Cast", ["x"], ["whole"], { to: 6 }),
        node("Cast", ["whole"], ["again"], { to: 1 }),
        node("Cast", ["again"], ["half"], { to: 10 }),
      ],
      outputs: ["half"],
    });
    expect(text).toContain(`"whole": int[1,4] = truncate("x") from "whole" "Cast"
  const "again.one": float[] = {1} from "again" "Cast"
  "again": float[1,4] = mul("whole", "again.one") from "again" "Cast"
  "half": float[1,4] = identity("again") from "half" "Cast"`);
  });

  it("takes an input as an output, a value twice, and inputs that nobody reads", () => {
    const text = imported({
      inputs: { x: [5], unread: [null, 2] },
      nodes: [node("Identity", ["x"], ["same"]), node("Relu", ["x"], ["y"])],
      outputs: ["x", "y", "same"],
    });
    expect(text).toBe(`graph "net" {
  input "x": float[5] from "x" "Input"
  input "unread": float[1,2] from "unread" "Input"
  "same": float[5] = identity("x") from "same" "Identity"
  "y": float[5] = relu("x") from "y" "Relu"
  output "x" = "x"
  output "y" = "y"
  output "same" = "same"
}
`);
  });

  it("does not look at what no output needs", () => {
    const text = imported({
      nodes: [
        node("Relu", ["x"], ["y"]),
        node("LSTM", ["x"], ["state"]),
        node("Dropout", ["y"], ["z", "mask"]),
        node("Not", ["mask"], ["dropped"]),
      ],
      outputs: ["z"],
    });
    expect(text).toContain('"z": float[1,4] = identity("y") from "z" "Dropout"');
  });

  it("reports every unsupported node, and none only because of another", () => {
    const model = modelOf({
      nodes: [
        node("DeformConv", ["x", "w"], ["c"], {}, "conv1"),
        node("Relu", ["c"], ["r"]),
        node("BatchNormalization", ["r", "w", "w", "w", "w"], ["n"], { training_mode: 1 }, "bn"),
        node("onnx.brevitas:FloatQuant", ["n", "w", "w", "w"], ["q"], {}, "act"),
        node("Reshape", ["q", "r"], ["y"], {}, "view"),
        node("MatMul", ["x", "w"], ["m"], {}, "fc"),
        node("Add", ["y", "m"], ["z"]),
      ],
      outputs: ["z"],
      constants: { w: tensor([3], [1, 2, 3]) },
    });
    expect(refusal(model)).toBe(`\
N2F_OP_UNSUPPORTED: where it reads depends on the data, which fixed wiring cannot do
  at conv1 (DeformConv)
  hint: Use a convolution or a resize at fixed positions in its place.
N2F_OP_UNSUPPORTED: BatchNormalization is in training mode (training_mode = 1)
  at bn (BatchNormalization)
  hint: Export the network in evaluation mode: model.eval() before torch.onnx.export, or training=TrainingMode.EVAL.
N2F_OP_UNSUPPORTED: it rounds to a small floating-point type; kernels compute in fixed point
  at act (onnx.brevitas.FloatQuant)
  hint: Train with an integer quantizer (Brevitas Int*), or export the float model.
N2F_OP_ATTRIBUTE: [1,4] and [3] cannot be multiplied as matrices
  at fc (MatMul)
  hint: The model contradicts itself here; check it with onnx.checker.check_model(model, full_check=True).`);
  });

  it("refuses shapes that are not fixed", () => {
    const model = modelOf({
      inputs: { x: ["N", "length", null], z: null },
      nodes: [node("Relu", ["x"], ["y"])],
      outputs: ["y"],
    });
    expect(refusal(model)).toBe(`\
N2F_ONNX_SHAPE: axis 1 of the input has the symbolic extent length
  at x (Input)
  hint: Fix it: python -m onnxruntime.tools.make_dynamic_shape_fixed --dim_param length --dim_value N
N2F_ONNX_SHAPE: axis 2 of the input has an unknown extent
  at x (Input)
  hint: Fix it: python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name NAME --input_shape 1,...
N2F_ONNX_SHAPE: the shape of the input is not known
  at z (Input)
  hint: Export the model with the shapes of its inputs.`);
  });

  it("refuses inputs that are no numbers", () => {
    const model = modelOf({ nodes: [node("Relu", ["x"], ["y"])], outputs: ["y"] });
    const inputs = [{ name: "x", shape: [1], elementType: "string" } as const];
    expect(refusal({ ...model, graph: { ...model.graph, inputs } })).toContain(
      "N2F_ONNX_DTYPE: the elements of the input are of type string\n  at x (Input)",
    );
  });

  it("refuses a constant output", () => {
    const model = modelOf({
      nodes: [node("Shape", ["x"], ["s"]), node("Relu", ["x"], ["y"])],
      outputs: ["y", "s"],
    });
    expect(refusal(model)).toBe(`\
N2F_OP_UNSUPPORTED: the output is constant: no input has a part in it
  at s (Output)
  hint: Remove it from the outputs of the model, and give its value to the clients directly.`);
  });

  it("refuses tensors without elements", () => {
    const model = modelOf({
      nodes: [node("Slice", ["x", "from", "to", "axes"], ["y"])],
      outputs: ["y"],
      constants: { from: list(2), to: list(2), axes: list(1) },
    });
    expect(refusal(model)).toContain(
      "N2F_ONNX_SHAPE: the slice has the shape [1,0]: no elements\n  at y (Slice)",
    );
  });

  it("refuses a batch that contradicts the input's", () => {
    const model = modelOf({
      nodes: [node("Reshape", ["x", "shape"], ["y"])],
      outputs: ["y"],
      constants: { shape: list(8, 4) },
    });
    expect(refusal(model)).toBe(`\
N2F_ONNX_SHAPE: [1,4] cannot take the shape [8,4]
  at y (Reshape)
  hint: A symbolic batch is taken as 1; where the model fixes another batch, export it with a batch of 1.`);
  });

  it("refuses constants of any size that a few bytes ask for", () => {
    const model = modelOf({
      nodes: [node("ConstantOfShape", ["shape"], ["c"]), node("Add", ["x", "c"], ["y"])],
      outputs: ["y"],
      constants: { shape: list(2 ** 20, 2 ** 20) },
    });
    expect(refusal(model)).toContain(
      "N2F_ONNX_SHAPE: a tensor of shape [1048576,1048576] is too large",
    );
  });

  it("refuses further outputs that somebody reads", () => {
    const ones = tensor([4], [1, 1, 1, 1]);
    const model = modelOf({
      nodes: [
        node("BatchNormalization", ["x", "c", "c", "c", "c"], ["y", "mean"], {}, "bn"),
        node("Relu", ["mean"], ["z"]),
      ],
      outputs: ["y", "z"],
      constants: { c: ones },
    });
    expect(refusal(model)).toContain(
      "its further output mean is in use\n  at bn (BatchNormalization)",
    );
  });
});
