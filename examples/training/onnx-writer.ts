import onnxProto from "onnx-proto";
import { littleEndianBytes } from "./npy.ts";

const { onnx } = onnxProto;
type Attribute = onnxProto.onnx.IAttributeProto;
type Node = onnxProto.onnx.INodeProto;
type TensorProto = onnxProto.onnx.ITensorProto;
type ValueInfo = onnxProto.onnx.IValueInfoProto;

const float = onnx.TensorProto.DataType.FLOAT;
const lastAxis: Attribute = {
  name: "axis",
  type: onnx.AttributeProto.AttributeType.INT,
  i: -1,
};

/** y = activation(x * kernel + bias). */
export interface DenseLayer {
  readonly name: string;
  /** [inputs, units], row-major. */
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  readonly activation: "relu" | "softmax" | "linear";
}

export interface MlpDescription {
  readonly name: string;
  readonly doc: string;
  readonly inputName: string;
  readonly outputName: string;
  readonly inputs: number;
  readonly layers: readonly DenseLayer[];
}

/**
 * A chain of dense layers as the bytes of an ONNX model: opset 13, IR version 8, float32, any
 * number of rows. The same layers give the same bytes.
 *
 * @see https://onnx.ai/onnx/repo-docs/IR.html
 */
export function encodeMlp(mlp: MlpDescription): Uint8Array {
  const nodes: Node[] = [];
  const weights: TensorProto[] = [];
  let value = mlp.inputName;
  let width = mlp.inputs;

  const addNode = (
    name: string,
    opType: string,
    parameters: string[] = [],
    attribute: Attribute[] = [],
  ) => {
    const output = `${name}:0`;
    nodes.push({ name, opType, input: [value, ...parameters], output: [output], attribute });
    value = output;
  };

  for (const { name, kernel, bias, activation } of mlp.layers) {
    const units = bias.length;
    weights.push(encodeTensor(`${name}/kernel`, [width, units], kernel));
    weights.push(encodeTensor(`${name}/bias`, [units], bias));
    addNode(`${name}/MatMul`, "MatMul", [`${name}/kernel`]);
    addNode(`${name}/Add`, "Add", [`${name}/bias`]);
    if (activation === "relu") addNode(`${name}/Relu`, "Relu");
    if (activation === "softmax") addNode(`${name}/Softmax`, "Softmax", [], [lastAxis]);
    width = units;
  }
  nodes[nodes.length - 1].output = [mlp.outputName];

  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 13 }],
    producerName: "nn2fpga examples",
    producerVersion: "1",
    docString: mlp.doc,
    graph: {
      name: mlp.name,
      node: nodes,
      initializer: weights,
      input: [describeRows(mlp.inputName, mlp.inputs)],
      output: [describeRows(mlp.outputName, width)],
    },
  }).finish();
}

function encodeTensor(name: string, dims: number[], values: Float32Array): TensorProto {
  return { name, dims, dataType: float, rawData: littleEndianBytes(values) };
}

/** A float32 value of shape ["batch", columns]. */
function describeRows(name: string, columns: number): ValueInfo {
  const dim = [{ dimParam: "batch" }, { dimValue: columns }];
  return { name, type: { tensorType: { elemType: float, shape: { dim } } } };
}
