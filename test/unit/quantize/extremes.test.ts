import { expect, test } from "vitest";
import { graphProblems, parseGraph, quantOf, valueId } from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import {
  defaultQuantizeOptions,
  gatherStatistics,
  loadCalibrationData,
  quantizeGraph,
} from "../../../src/quantize/index.ts";
import { makeTensor } from "../../../src/tensor/index.ts";
import { problemOf } from "../../support/problem.ts";

/** A product whose bias of 1e30 leaves nothing of the other numbers in 64 bits. */
const graph = parseGraph(
  `graph "g" {
  input "x": float[1,2] from "x" "Input"
  const "w": float[2,2] = {0.25, 0.5, -0.125, 0.375} from "w" "Initializer"
  const "b": float[2] = {0.25, 1e30} from "b" "Initializer"
  "y": float[1,2] = matmul("x", "w", "b") from "y" "Gemm"
  output "y" = "y"
}
`,
  ops,
);

test("an extreme bias coarsens what it is added to, and comes to the same point itself", () => {
  const feed = new Map([[valueId("x"), makeTensor([1, 2], [1, -0.75])]]);
  const statistics = gatherStatistics(graph, ops, [feed]);
  const quantized = quantizeGraph(graph, ops, statistics, defaultQuantizeOptions).graph;
  expect(graphProblems(quantized, ops)).toEqual([]);
  const product = [...quantized.values.values()].find(
    (value) => value.kind === "op" && value.op === "matmul",
  );
  if (product?.kind !== "op") throw new Error("no product");
  const quants = product.args.map((id) => quantOf(quantized.values.get(id) as typeof product));
  const [x, w, b] = quants.map(({ format }) => format.frac);
  expect(b).toBeLessThanOrEqual(x + w);
  // The great bias keeps its value to a few parts in a thousand.
  const greatest = Number(quants[2].ranges.hi(1)) * 2 ** -b;
  expect(Math.abs(greatest / 1e30 - 1)).toBeLessThan(2 ** -8);
});

test("inputs of hundreds of millions of numbers are refused before any are generated", () => {
  const huge = parseGraph(
    `graph "g" {
  input "x": float[16777216,4,5] from "x" "Input"
  "y": float[16777216,4,5] = relu("x") from "y" "Relu"
  output "y" = "y"
}
`,
    ops,
  );
  expect(problemOf(() => loadCalibrationData(huge, []))).toMatchObject({
    code: "N2F_DESIGN_SIZE",
    message: "one inference takes 335544320 numbers",
    at: "x",
  });
});

test("values that lie too far apart for one word meet in a concatenation", () => {
  const apart = parseGraph(
    `graph "g" {
  input "x": float[1,2] from "x" "Input"
  const "large": float[1,2] = {1099511627776, 3298534883328} from "large" "Initializer"
  const "small": float[1,2] = {9.313225746154785e-10, 2.7939677238464355e-9} from "small" "Initializer"
  "a": float[1,2] = mul("x", "large") from "a" "Mul"
  "b": float[1,2] = mul("x", "small") from "b" "Mul"
  "y": float[1,4] = concat("a", "b") {axis=1} from "y" "Concat"
  output "y" = "y"
}
`,
    ops,
  );
  const feed = new Map([[valueId("x"), makeTensor([1, 2], [1, -0.75])]]);
  const statistics = gatherStatistics(apart, ops, [feed]);
  const quantized = quantizeGraph(apart, ops, statistics, defaultQuantizeOptions).graph;
  expect(graphProblems(quantized, ops)).toEqual([]);
  const y = quantized.values.get(quantized.outputs[0].value);
  if (y?.kind !== "op") throw new Error("no result");
  const { format, ranges } = quantOf(y);
  // The large ones keep their size; the small ones are below the least step.
  expect(Number(ranges.hull()[1]) * 2 ** -format.frac).toBeGreaterThan(2 ** 40);
  expect(format.width).toBeLessThanOrEqual(64);
});
