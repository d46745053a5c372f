import { describe, expect, it } from "vitest";
import { Builder, valueId } from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { type CalibrationData, calibrate, calibrationCount } from "../../../src/quantize/index.ts";
import { makeTensor } from "../../../src/tensor/index.ts";

/** y = x W for x of `[rows, n]` and W of ones. */
function product(rows: number, n: number) {
  const build = new Builder(ops).from({ node: "n", type: "MatMul" });
  const x = build.input("x", { shape: [rows, n], dtype: "float" });
  const w = build.constant(makeTensor([n, n], new Float64Array(n * n).fill(1)));
  return build.graph("g", [{ name: "y", value: build.op("matmul", [x, w], {}, "y") }]);
}

const samplesOf = (count: number, numbers: readonly number[]): CalibrationData["samples"] => ({
  count,
  data: new Map([["x", Float64Array.from(numbers)]]),
});

describe("calibration", () => {
  it("looks at fewer inferences of a large network, and at fewer still of generated data", () => {
    const samples = samplesOf(1000, []);
    const large = product(10, 1000);
    expect(calibrationCount(large, { samples, source: "a.npy" })).toBe(400);
    expect(calibrationCount(large, { samples, source: "", isGenerated: true })).toBe(100);
    const small = product(1, 2);
    expect(calibrationCount(small, { samples, source: "", isGenerated: true })).toBe(512);
  });

  it("shows the values of one inference after the other", () => {
    const seen: number[][] = [];
    const data = { samples: samplesOf(2, [1, 2, -3, 5]), source: "a.npy" };
    const statistics = calibrate(product(1, 2), ops, data, (values) =>
      seen.push([...(values.get(valueId("y"))?.data ?? [])]),
    );
    expect(seen).toEqual([
      [3, 3],
      [2, 2],
    ]);
    expect(statistics.get(valueId("y"))).toMatchObject({ min: 2, max: 3 });
  });
});
