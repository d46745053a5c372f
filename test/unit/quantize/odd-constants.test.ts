import { expect, test } from "vitest";
import { parseGraph, valueId } from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import {
  defaultQuantizeOptions,
  gatherStatistics,
  quantizeGraph,
} from "../../../src/quantize/index.ts";
import { makeTensor } from "../../../src/tensor/index.ts";
import { problemOf } from "../../support/problem.ts";

test.each(["nan", "inf", "-inf"])("a constant with %s in it is refused by name", (number) => {
  const graph = parseGraph(
    `graph "g" {
  input "x": float[2] from "x" "Input"
  const "mask": float[2] = {0, ${number}} from "mask" "Initializer"
  "y": float[2] = add("x", "mask") from "y" "Add"
  output "y" = "y"
}
`,
    ops,
  );
  const feed = new Map([[valueId("x"), makeTensor([2], [1, 2])]]);
  const statistics = gatherStatistics(graph, ops, [feed]);
  const written = number.replace("nan", "NaN").replace("inf", "Infinity");
  expect(problemOf(() => quantizeGraph(graph, ops, statistics, defaultQuantizeOptions))).toEqual({
    code: "N2F_OP_UNSUPPORTED",
    message: `the constant mask has ${written} in it`,
    at: "mask (Initializer)",
    hint: "Fixed-point numbers are finite: put a number that the network can meet in its place, -1e4 for a mask of -inf, say.",
  });
});

test("a constant that is joined to a finer value is brought to its point at once", () => {
  const graph = parseGraph(
    `graph "g" {
  input "x": float[2] from "x" "Input"
  const "c": float[2] = {9, 32.5} from "c" "Initializer"
  "y": float[4] = concat("x", "c") {axis=0} from "y" "Concat"
  output "y" = "y"
}
`,
    ops,
  );
  const feed = new Map([[valueId("x"), makeTensor([2], [1, 2])]]);
  const statistics = gatherStatistics(graph, ops, [feed]);
  const { graph: quantized } = quantizeGraph(graph, ops, statistics, defaultQuantizeOptions);
  const values = [...quantized.values.values()];
  expect(values.map(({ kind }) => kind)).toEqual(["input", "const", "op"]);
  const [x, c] = values.map((value) => value.quant?.format.frac as number);
  expect(c).toBe(x);
  const [, constant] = values;
  expect(constant.kind === "const" && [...constant.data.data]).toEqual([9 * 2 ** c, 32.5 * 2 ** c]);
});
