import onnxProto from "onnx-proto";

const { onnx } = onnxProto;

/** One thing of the graph: its nodes and constants grow as it is built. */
class Builder {
  readonly node: onnxProto.onnx.INodeProto[] = [];
  readonly initializer: onnxProto.onnx.ITensorProto[] = [];

  add(
    opType: string,
    input: readonly string[],
    attributes: Readonly<Record<string, readonly number[]>> = {},
  ): string {
    const output = `v${this.node.length}`;
    const attribute = Object.entries(attributes).map(([name, ints]) => ({
      name,
      type: onnx.AttributeProto.AttributeType.INTS,
      ints: [...ints],
    }));
    this.node.push({ name: output, opType, input: [...input], output: [output], attribute });
    return output;
  }

  /** A convolution whose weights average: what comes out is as large as what goes in. */
  conv(x: string, from: number, to: number, size: number, stride: number): string {
    const pad = (size - 1) >> 1;
    return this.add(
      "Conv",
      [
        x,
        this.#constant([to, from, size, size], 1 / (from * size * size)),
        this.#constant([to], 0),
      ],
      {
        kernel_shape: [size, size],
        strides: [stride, stride],
        pads: [pad, pad, pad, pad],
      },
    );
  }

  /** As a shape and a value: ONNX Runtime makes the array when it loads the model. */
  #constant(dims: readonly number[], value: number): string {
    const shape = `c${this.initializer.length}`;
    this.initializer.push({
      name: shape,
      dataType: onnx.TensorProto.DataType.INT64,
      dims: [dims.length],
      rawData: new Uint8Array(BigInt64Array.from(dims, BigInt).buffer),
    });
    const output = `v${this.node.length}`;
    const t = {
      dataType: onnx.TensorProto.DataType.FLOAT,
      dims: [1],
      rawData: new Uint8Array(Float32Array.of(value).buffer),
    };
    this.node.push({
      name: output,
      opType: "ConstantOfShape",
      input: [shape],
      output: [output],
      attribute: [{ name: "value", type: onnx.AttributeProto.AttributeType.TENSOR, t }],
    });
    return output;
  }
}

/** Blocks of each stage, and the channels in the middle of them; four times as many come out. */
const stages = [
  { blocks: 3, channels: 64 },
  { blocks: 4, channels: 128 },
  { blocks: 6, channels: 256 },
  { blocks: 3, channels: 512 },
] as const;

/**
 * ResNet-50 up to its features, [1, 3, 224, 224] to [1, 2048]: the arithmetic of the network, with batch normalization
 * folded, for measuring how long it takes. Its weights mean nothing.
 *
 * @returns an ONNX file
 * @see K. He et al.: Deep Residual Learning for Image Recognition (CVPR 2016), table 1
 */
export function resnet50Features(): Uint8Array {
  const net = new Builder();
  const relu = (x: string): string => net.add("Relu", [x]);
  const square = (size: number): number[] => [size, size];
  let x = relu(net.conv("image", 3, 64, 7, 2));
  x = net.add("MaxPool", [x], {
    kernel_shape: square(3),
    strides: square(2),
    pads: [1, 1, 1, 1],
  });
  let from = 64;
  for (const [stage, { blocks, channels }] of stages.entries()) {
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const to = 4 * channels;
      const shortcut = block === 0 ? net.conv(x, from, to, 1, stride) : x;
      const narrow = relu(net.conv(x, from, channels, 1, 1));
      const middle = relu(net.conv(narrow, channels, channels, 3, stride));
      x = relu(net.add("Add", [net.conv(middle, channels, to, 1, 1), shortcut]));
      from = to;
    }
  }
  const pooled = net.add("GlobalAveragePool", [x]);
  net.node.push({ name: "flatten", opType: "Flatten", input: [pooled], output: ["features"] });
  const value = (name: string, dims: readonly number[]) => ({
    name,
    type: {
      tensorType: {
        elemType: onnx.TensorProto.DataType.FLOAT,
        shape: { dim: dims.map((dimValue) => ({ dimValue })) },
      },
    },
  });
  return onnx.ModelProto.encode({
    irVersion: 7,
    opsetImport: [{ domain: "", version: 13 }],
    graph: {
      name: "resnet50",
      node: net.node,
      initializer: net.initializer,
      input: [value("image", [1, 3, 224, 224])],
      output: [value("features", [1, from])],
    },
  }).finish();
}
