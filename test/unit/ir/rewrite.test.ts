import { expect, test } from "vitest";
import { parseGraph, printGraph, rewriteGraph } from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";

test("a value that takes another's name is still found by those who read it under its own", () => {
  const graph = parseGraph(
    `graph "g" {
  input "x": float[4] from "x" "Input"
  "a": float[4] = relu("x") from "a" "Relu"
  "y": float[4] = identity("a") from "y" "Identity"
  "z": float[4] = tanh("a") from "z" "Tanh"
  output "y" = "y"
  output "z" = "z"
}
`,
    ops,
  );
  const seen: boolean[] = [];
  const rewritten = rewriteGraph(graph, ops, (value, { args, isUsedOnce }) => {
    if (value.op === "identity") return args[0];
    if (value.op === "tanh") seen.push(isUsedOnce(args[0]));
    return undefined;
  });
  expect(printGraph(rewritten)).toContain(`tanh("y")`);
  expect(seen).toEqual([false]);
});

test("a new value does not take the name of one that is still to come", () => {
  const graph = parseGraph(
    `graph "g" {
  input "x": float[4] from "x" "Input"
  "a": float[4] = relu("x") from "a" "Relu"
  "a_1": float[4] = tanh("a") from "a" "Relu"
  output "y" = "a_1"
}
`,
    ops,
  );
  const rewritten = rewriteGraph(graph, ops, (value, { build, args }) => {
    if (value.op !== "relu") return undefined;
    const half = build.op("relu", args, {}, "a");
    return build.op("relu", [half], {}, "a");
  });
  expect([...rewritten.values.keys()]).toEqual(["x", "a", "a_2", "a_1"]);
});
