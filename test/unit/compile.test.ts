import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { planModel } from "../../src/compile.ts";
import { loadConfig } from "../../src/config/index.ts";
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
