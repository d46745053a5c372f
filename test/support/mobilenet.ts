import type { onnx } from "onnx-proto";
import { Random } from "../../src/base/index.ts";
import { floats, modelBytes, value } from "../unit/onnx/build.ts";

/** Channels behind each pointwise convolution at full width, and the stride of the depthwise one before it. */
const blocks = [
  ...[
    [64, 1],
    [128, 2],
    [128, 1],
    [256, 2],
    [256, 1],
    [512, 2],
  ],
  ...[
    [512, 1],
    [512, 1],
    [512, 1],
    [512, 1],
    [512, 1],
    [1024, 2],
    [1024, 1],
  ],
] as const;

/**
 * MobileNetV1 with 13 depthwise-separable blocks and random weights: `[1, 3, size, size]` to `[1, 2]`. At a
 * width of a quarter and 96 pixels it is the network of MLPerf Tiny's visual wake words.
 *
 * @see https://arxiv.org/abs/1704.04861 table 1
 */
export function mobileNetV1(size: number, widthFactor: number): Uint8Array {
  const random = new Random(96);
  const node: onnx.INodeProto[] = [];
  const initializer: onnx.ITensorProto[] = [];
  const weights = (name: string, dims: readonly number[], fanIn: number) => {
    const count = dims.reduce((a, b) => a * b, 1);
    const scale = Math.sqrt(2 / fanIn);
    const data = Array.from({ length: count }, () => random.normal() * scale);
    initializer.push({ ...floats(name, data), dims: [...dims] });
  };
  let x = "x";
  const convolution = (name: string, dims: readonly number[], stride: number, group: number) => {
    weights(`${name}_w`, dims, dims[1] * dims[2] * dims[3]);
    weights(`${name}_b`, [dims[0]], 100);
    const pad = (dims[2] - 1) / 2;
    const attribute: onnx.IAttributeProto[] = [
      { name: "strides", type: 7, ints: [stride, stride] },
      { name: "pads", type: 7, ints: [pad, pad, pad, pad] },
      { name: "group", type: 2, i: group },
    ];
    const input = [x, `${name}_w`, `${name}_b`];
    node.push({ name, opType: "Conv", input, output: [`${name}_y`], attribute });
    node.push({ name: `${name}_relu`, opType: "Relu", input: [`${name}_y`], output: [name] });
    x = name;
  };
  let channels = Math.round(32 * widthFactor);
  convolution("conv", [channels, 3, 3, 3], 2, 1);
  blocks.forEach(([full, stride], i) => {
    const next = Math.round(full * widthFactor);
    convolution(`dw${i + 1}`, [channels, 1, 3, 3], stride, channels);
    convolution(`pw${i + 1}`, [next, channels, 1, 1], 1, 1);
    channels = next;
  });
  node.push({ name: "pool", opType: "GlobalAveragePool", input: [x], output: ["pooled"] });
  node.push({ name: "flat", opType: "Flatten", input: ["pooled"], output: ["flat"] });
  weights("fc_w", [channels, 2], channels);
  weights("fc_b", [2], 100);
  node.push({ name: "fc", opType: "Gemm", input: ["flat", "fc_w", "fc_b"], output: ["y"] });
  return modelBytes({
    node,
    input: [value("x", [1, 3, size, size])],
    output: [value("y", [1, 2])],
    initializer,
  });
}
