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
