import { expect, it } from "vitest";
import { parseGraph } from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";

const text = (line: string) => `graph "g" {
  input "x": float[1,4] fixed<8,4> from "x" "Input"
  input "f": float[1,4] from "f" "Input"
  ${line}
  output "y" = "y"
}
`;

it.each([
  [
    '"y": float[1,4] fixed<9,4> = relu("x") from "n" "Relu"',
    "relu gives ufixed<7,3>, not fixed<9,4>",
  ],
  [
    '"y": float[1,4] fixed<8,4> = identity("x") from "n" "Identity"',
    "identity is no primitive operator",
  ],
  ['"y": float[1,4] ufixed<7,3> = relu("f") from "n" "Relu"', "value f is not quantized"],
])("%s is wrong in its own line", (line, message) => {
  expect(() => parseGraph(text(line), ops)).toThrow(`N2F_GRAPH_TEXT: ${message}\n  at line 4`);
});
