import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { planModel } from "../../src/compile.ts";
import { loadConfig } from "../../src/config/index.ts";
import { makeTensor } from "../../src/tensor/index.ts";
import { encodeTwin } from "../ops/onnx-twin.ts";
import { emulatorDifference, tensorDifference } from "./differences.ts";

const folder = mkdtempSync(join(tmpdir(), "nn2fpga-differences-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const row = (...data: number[]) => makeTensor([data.length], data);

test("answers differ in shapes, types and numbers, where the reference has one", () => {
  expect(tensorDifference([row(1, 2)], [row(1, 2.05)], 0.1)).toBeUndefined();
  expect(tensorDifference([row(1, 2)], [row(1, 2.2)], 0.1)).toBe(
    "element 1 of output 0 is 2, not 2.2",
  );
  expect(tensorDifference([row(1, Number.NaN)], [row(1, 2)], 0.1)).toContain("is NaN, not 2");
  expect(tensorDifference([row(1, 5)], [row(1, Infinity)], 0.1)).toBeUndefined();
  expect(tensorDifference([row(1)], [row(1, 2)], 0.1)).toContain("has the shape [1], not [2]");
  const truth = makeTensor([1], [1], "bool");
  expect(tensorDifference([truth], [row(1)], 0)).toBe("output 0 is bool, not float");
});

test("the emulator of another network is told from the integer graph", () => {
  const plan = (opType: string) => {
    const path = join(folder, `${opType}.onnx`);
    writeFileSync(path, encodeTwin({ nodes: [{ opType, inputs: ["x0"] }] }, [[1, 4]]));
    return planModel(path, { config: loadConfig(undefined, {}), calibration: [] });
  };
  const relu = plan("Relu");
  expect(emulatorDifference(relu)).toBeUndefined();
  const { quantized } = plan("Identity");
  expect(emulatorDifference({ ...relu, quantized })).toMatch(
    /^element \d of y is \S+ in the emulator, not \S+$/,
  );
});
