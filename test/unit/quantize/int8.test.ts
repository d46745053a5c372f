import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { evaluate, parseGraph, printGraph, valueId } from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { runPasses } from "../../../src/passes/index.ts";
import {
  type CalibrationData,
  calibrate,
  defaultQuantizeOptions,
  feedOf,
  quantizeGraph,
  quantizeToInt8,
} from "../../../src/quantize/index.ts";

const random = new Random(3);
const numbers = (count: number) =>
  Array.from({ length: count }, () => Math.fround(random.normal())).join(", ");
const graph = parseGraph(
  `graph "g" {
  input "x": float[1,8] from "x" "Input"
  const "w": float[8,6] = {${numbers(48)}} from "w" "Initializer"
  const "b": float[6] = {${numbers(6)}} from "b" "Initializer"
  "h": float[1,6] = matmul("x", "w", "b") from "h" "MatMul"
  "r": float[1,6] = relu("h") from "r" "Relu"
  const "v": float[6,6] = {${numbers(36)}} from "v" "Initializer"
  "m": float[1,6] = matmul("r", "v") from "m" "MatMul"
  "s": float[1,6] = add("m", "r") from "s" "Add"
  const "u": float[6,3] = {${numbers(18)}} from "u" "Initializer"
  "y": float[1,3] = matmul("s", "u") from "y" "MatMul"
  output "y" = "y"
}
`,
  ops,
);
const count = 64;
const data: CalibrationData = {
  source: "test",
  samples: {
    count,
    data: new Map([["x", Float64Array.from({ length: count * 8 }, () => random.normal())]]),
  },
};
const int8 = runPasses(quantizeToInt8(graph, ops, calibrate(graph, ops, data)), ops);

describe("int8 as in ONNX Runtime", () => {
  it("leaves only integers between the quantizations of activations and the sums", () => {
    const products = [...int8.values.values()].filter(
      (value) => value.kind === "op" && value.op === "matmul",
    );
    expect(products).toHaveLength(3);
    for (const product of products) expect(product.dtype, printGraph(int8)).toBe("int");
  });

  it("has weights of 8 bits without -128", () => {
    let checked = 0;
    for (const value of int8.values.values()) {
      if (value.kind !== "const" || !value.id.endsWith(".int8")) continue;
      for (const code of value.data.data) expect(Math.abs(code)).toBeLessThanOrEqual(127);
      checked++;
    }
    expect(checked).toBe(3);
  });

  it("comes close to the float network, as 8 bits can", () => {
    let [signal, noise] = [0, 0];
    for (let i = 0; i < count; i++) {
      const feed = feedOf(graph, data.samples, i);
      const wanted = evaluate(graph, ops, feed).get(valueId("y"))?.data ?? [];
      const got = evaluate(int8, ops, feed).get(int8.outputs[0].value)?.data ?? [];
      wanted.forEach((number, n) => {
        signal += number ** 2;
        noise += (number - got[n]) ** 2;
      });
    }
    expect(10 * Math.log10(signal / noise)).toBeGreaterThan(32);
  });

  it("is quantized without losing a bit of its own formats", () => {
    const quantized = quantizeGraph(int8, ops, calibrate(int8, ops, data), defaultQuantizeOptions);
    for (const value of quantized.graph.values.values()) {
      if (value.kind === "op" && value.op === "requantize") {
        expect(quantized.graph.outputs.map((output) => output.value)).toContain(value.id);
      }
    }
  });
});
