import type { onnx } from "onnx-proto";
import { floats, modelBytes, value } from "../unit/onnx/build.ts";

const matrix = (name: string, rows: number, data: readonly number[]): onnx.ITensorProto => ({
  ...floats(name, data),
  dims: [rows, data.length / rows],
});

/** Weights of a network 2-3-2, in quarters. */
const weights = {
  w1: matrix("w1", 2, [0.5, -1.25, 0.75, 1, 0.25, -0.5]),
  b1: floats("b1", [0.25, 0, -0.5]),
  w2: matrix("w2", 3, [1, -0.75, 0.5, 0.25, -1.5, 1.75]),
  b2: floats("b2", [-0.25, 0.5]),
};

const gemm = (name: string, input: string, output: string, n: number): onnx.INodeProto => ({
  name,
  opType: "Gemm",
  input: [input, `w${n}`, `b${n}`],
  output: [output],
});

/** x[N,2] -> dense 3 -> relu -> dense 2 -> y. */
export function tinyNetwork(): Uint8Array {
  return modelBytes({
    node: [
      gemm("fc1", "x", "h", 1),
      { name: "relu1", opType: "Relu", input: ["h"], output: ["r"] },
      gemm("fc2", "r", "y", 2),
    ],
    input: [value("x", ["N", 2])],
    output: [value("y", ["N", 2])],
    initializer: Object.values(weights),
  });
}

/** Two nodes that are not supported, and one that is. */
export function unsupportedNetwork(): Uint8Array {
  return modelBytes({
    node: [
      { name: "strange", opType: "Det", input: ["x"], output: ["a"] },
      { name: "fine", opType: "Relu", input: ["a"], output: ["b"] },
      { name: "odd", domain: "my.company", opType: "Magic", input: ["b"], output: ["y"] },
    ],
  });
}
