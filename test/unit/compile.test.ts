import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planModel } from "../../src/compile.ts";
import { loadConfig } from "../../src/config/index.ts";
import { ModelWriter } from "../support/model-writer.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { floats, modelBytes, value } from "./onnx/build.ts";

it("keeps 16 bits where more would need accumulators beyond 64", () => {
  const matrix = (name: string, data: readonly number[]) => ({
    ...floats(name, data),
    dims: [2, data.length / 2],
  });
  const gemm = (input: string, w: string, output: string) => ({
    name: output,
    opType: "Gemm",
    input: [input, w],
    output: [output],
  });
  // Two scores that are nearly equal: no width that is tried tells them apart.
  const model = modelBytes({
    node: [
      gemm("x", "w1", "h"),
      {
        name: "leaky",
        opType: "LeakyRelu",
        input: ["h"],
        output: ["r"],
        attribute: [{ name: "alpha", type: 1, f: 0.01 }],
      },
      gemm("r", "w2", "y"),
    ],
    input: [value("x", ["N", 2])],
    output: [value("y", ["N", 2])],
    initializer: [
      matrix("w1", [0.713, -1.291, 0.377, 0.953]),
      matrix("w2", [1.0000002, 1.0000001, -0.9000001, -0.9000002]),
    ],
  });
  const path = join(temporaryFolder(), "close.onnx");
  writeFileSync(path, model);
  const { summary } = planModel(path, { config: loadConfig(undefined, {}), calibration: [] });
  expect(summary.warnings.join("\n")).toMatch(/the greatest output is the float network's for/);
});

/** A dense layer between quantizations, and what is made of the result before the output. */
function quantizedModel(tail: (w: ModelWriter, codes: string) => string): string {
  const w = new ModelWriter();
  const scaling = () => [w.floats([0.05]), w.codes("int8", [3])];
  const roundTrip = (x: string) =>
    w.node("DequantizeLinear", [w.node("QuantizeLinear", [x, ...scaling()]), ...scaling()]);
  const x = roundTrip(w.input("x", [1, 4], "float32"));
  const weights = w.codes("int8", [3, -7, 12, 5, 1, 90, -8, 2], [4, 2]);
  const product = w.node("MatMul", [x, w.node("DequantizeLinear", [weights, w.floats([0.1])])]);
  const path = join(temporaryFolder(), "quantized.onnx");
  writeFileSync(path, w.finish(tail(w, roundTrip(w.node("Sigmoid", [roundTrip(product)])))));
  return path;
}

const warningsOf = (path: string): readonly string[] =>
  planModel(path, { config: loadConfig(undefined, {}), calibration: [] }).summary.warnings;

describe("what a quantized model is warned of", () => {
  it("is nothing where the model gives every format, though no data came", () => {
    expect(warningsOf(quantizedModel((_w, codes) => codes))).toEqual([]);
  });

  it("is the layers that have formats by calibration", () => {
    const model = quantizedModel((w, codes) => {
      const weights = w.floats([0.3, 0.1, -0.7, 0.2], [2, 2]);
      return w.node("Tanh", [w.node("MatMul", [codes, weights])]);
    });
    const [data, partly] = warningsOf(model);
    expect(data).toMatch(/^no calibration data was given/);
    expect(partly).toMatch(
      /is quantized, but not all of it: .*MatMul_\d+ \(MatMul\).* got 16 bits/,
    );
    expect(partly).toMatch(/Tanh_\d+ \(Tanh\)/);
  });
});

it.each([
  ["a__b-.onnx", "a_b"],
  ["8 bits.onnx", "n8_bits"],
])("a model in %s is named so that Verilator's files have the same name", (file, name) => {
  const path = join(temporaryFolder(), file);
  writeFileSync(path, modelBytes());
  expect(planModel(path, { config: loadConfig(undefined, {}), calibration: [] }).name).toBe(name);
});
