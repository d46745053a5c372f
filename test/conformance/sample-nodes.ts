import type { OnnxModel, OnnxNode, OnnxTensor } from "../../src/onnx/index.ts";
import { list, type ModelText, modelOf, node, tensor } from "../unit/onnx/import-fixtures.ts";

/** Models of operators that have neither cases of their own nor a place in a network at hand. */

const scalar = (value: number): OnnxTensor => tensor([], [value]);
const byte = (value: number): OnnxTensor => tensor([], [value], "uint8");

/** The last node is the one that counts; it makes `y`. */
const sample = (nodes: readonly OnnxNode[], rest: Omit<ModelText, "nodes" | "outputs"> = {}) =>
  modelOf({ nodes, outputs: ["y"], ...rest });

const unary = ["Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cosh", "Shrink", "Sinh", "Tan"];

const integers = node("Cast", ["x"], ["i"], { to: 6 });
const shift = (direction: string, distances: readonly number[]) =>
  sample([integers, node("BitShift", ["i", "b"], ["y"], { direction })], {
    constants: { b: tensor([distances.length], distances, "int32") },
  });

/** Codes of x with scale s and zero point z, in the manner of ONNX Runtime. */
const codes = node("QuantizeLinear", ["x", "s", "z"], ["q"]);
const scales = { s: scalar(0.5), z: byte(3) };
const picture = { inputs: { x: [1, 2, 4, 4] } };
const linear = (op: string, attributes = {}, rest = {}) =>
  sample([codes, node(`com.microsoft:${op}`, ["q", "s", "z", "s", "z"], ["y"], attributes)], {
    constants: scales,
    ...rest,
  });
const linearPair = (op: string) =>
  sample([codes, node(`com.microsoft:${op}`, ["q", "s", "z", "q", "s", "z", "s", "z"], ["y"])], {
    constants: scales,
  });

const quant = "qonnx.custom_op.general";

export const sampleModels: readonly OnnxModel[] = [
  ...unary.map((op) => sample([node(op, ["x"], ["y"])])),
  sample([node("Cast", ["x"], ["c"], { to: 9 }), node("Not", ["c"], ["y"])]),
  shift("LEFT", [1]),
  shift("RIGHT", [1]),
  shift("RIGHT", [0, 1, 2, 3]),
  sample([node("CastLike", ["x", "w"], ["y"])], { constants: { w: list(1) }, opset: 15 }),
  sample([node("Compress", ["x", "c"], ["y"], { axis: 1 })], {
    constants: { c: tensor([4], [1, 0, 1, 1], "bool") },
  }),
  ...[1, 2, 3].map((p) => sample([node("GlobalLpPool", ["x"], ["y"], { p })], picture)),
  sample([node("ReverseSequence", ["x", "n"], ["y"], { time_axis: 1, batch_axis: 0 })], {
    constants: { n: list(3) },
    inputs: { x: [1, 4] },
  }),
  sample([node("RotaryEmbedding", ["x", "c", "s"], ["y"])], {
    constants: { c: tensor([1, 2, 2], [1, 1, 0.5, 0.5]), s: tensor([1, 2, 2], [0, 0, 0.8, 0.8]) },
    inputs: { x: [1, 2, 2, 4] },
    opset: 23,
  }),
  sample([node("Scatter", ["x", "at", "new"], ["y"], { axis: 1 })], {
    constants: { at: tensor([1, 1], [2], "int64"), new: tensor([1, 1], [5]) },
    opset: 10,
  }),
  sample([node(`${quant}:BipolarQuant`, ["x", "s"], ["y"])], { constants: scales }),
  sample([node(`${quant}:IntQuant`, ["x", "s", "zero", "bits"], ["y"])], {
    constants: { ...scales, zero: scalar(0), bits: scalar(4) },
  }),
  sample([node(`${quant}:MultiThreshold`, ["x", "t"], ["y"])], {
    constants: { t: tensor([1, 3], [-1, 0, 1]) },
  }),
  sample(
    [
      node(`${quant}:Quant`, ["x", "s", "zero", "eight"], ["q"]),
      node(`${quant}:Trunc`, ["q", "s", "zero", "eight", "four"], ["y"]),
    ],
    { constants: { ...scales, zero: scalar(0), eight: scalar(8), four: scalar(4) } },
  ),
  sample([node(`${quant}:XnorPopcountMatMul`, ["x", "w"], ["y"])], {
    constants: { w: tensor([4, 2], [1, -1, 1, 1, -1, 1, 1, -1]) },
  }),
  sample(
    [codes, node("com.microsoft:QGemm", ["q", "s", "z", "w", "s", "z", "", "s", "z"], ["y"])],
    {
      constants: { ...scales, w: tensor([4, 2], [1, 2, 3, 4, 5, 6, 7, 8], "uint8") },
    },
  ),
  linearPair("QLinearAdd"),
  linearPair("QLinearMul"),
  linear("QLinearAveragePool", { kernel_shape: [2, 2] }, picture),
  linear("QLinearGlobalAveragePool", { channels_last: 0 }, picture),
  linear("QLinearLeakyRelu", { alpha: { float: 0.25 } }),
  linear("QLinearSigmoid"),
  linear("QLinearSoftmax"),
  sample(
    [
      codes,
      node("Greater", ["x", "s"], ["c"]),
      node("com.microsoft:QLinearWhere", ["c", "q", "s", "z", "q", "s", "z", "s", "z"], ["y"]),
    ],
    { constants: scales },
  ),
  sample(
    [
      codes,
      node("com.microsoft:QLinearConcat", ["s", "z", "q", "s", "z", "q", "s", "z"], ["y"], {
        axis: 1,
      }),
    ],
    { constants: scales },
  ),
];
