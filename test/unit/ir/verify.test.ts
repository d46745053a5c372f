import { describe, expect, it } from "vitest";
import { renderProblem } from "../../../src/base/index.ts";
import {
  assertGraph,
  type Graph,
  graphProblems,
  type OpValue,
  parseGraph,
  type Value,
  type ValueId,
  valueId,
} from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { makeTensor } from "../../../src/tensor/index.ts";

const sound = parseGraph(
  `graph "g" {
  input "x": float[1,2] fixed<4,2> from "x" "Input"
  const "c": float[2] fixed<3,1> = {3, -4} from "c" "Initializer"
  "s": float[1,2] fixed<5,3> = add("x", "c") from "sum" "Add"
  "y": float[1,2] ufixed<4,2> = relu("s") from "act" "Relu"
  output "y" = "y"
}`,
  ops,
);

/** The sound graph with one value changed. */
function changed(name: string, change: (value: Value) => Value): Graph {
  const id = valueId(name);
  const values = new Map(sound.values);
  values.set(id, change(values.get(id) as Value));
  return { ...sound, values };
}

const faults = (graph: Graph) => graphProblems(graph, ops).map(renderProblem);

const op = (change: Partial<OpValue>) => (value: Value) => ({ ...value, ...change }) as Value;

describe("the verifier", () => {
  it("finds nothing in a sound graph", () => {
    expect(faults(sound)).toEqual([]);
    expect(assertGraph(sound, ops, "nothing")).toBe(sound);
  });

  it.each<[string, Graph, string[]]>([
    [
      "a value filed under another name",
      changed("y", (value) => ({ ...value, id: valueId("z") })),
      ["the value is filed as y and calls itself z"],
    ],
    [
      "an argument that is not there",
      changed("y", op({ args: [valueId("nothing")] })),
      ["argument nothing is not made before it is used"],
    ],
    [
      "an argument that comes too late",
      changed("s", op({ args: [valueId("y"), valueId("c")] })),
      ["argument y is not made before it is used"],
    ],
    ["an unknown operator", changed("y", op({ op: "rely" })), ["there is no operator rely"]],
    [
      "a shape that the operator does not give",
      changed("y", op({ shape: [2] })),
      ["relu gives float[1,2], not float[2]"],
    ],
    [
      "an element type that the operator does not give",
      changed("y", op({ dtype: "int" })),
      ["relu gives float[1,2], not int[1,2]"],
    ],
    [
      "attributes that the operator refuses",
      changed("y", op({ op: "transpose", attrs: { perm: [0, 2] } })),
      ["N2F_OP_ATTRIBUTE: perm [0,2] is no order of the axes of [1,2]"],
    ],
    [
      "a constant of another size than its shape",
      changed("c", (value) => ({ ...value, data: makeTensor([1], [3]) }) as Value),
      ["data and shape differ in size"],
    ],
    [
      "a code outside of its format",
      changed("c", (value) => ({ ...value, data: makeTensor([2], [3, 4]) }) as Value),
      ["code 4 is outside its format"],
    ],
    [
      "a code that is no integer",
      changed("c", (value) => ({ ...value, data: makeTensor([2], [3, 0.5]) }) as Value),
      ["code 0.5 is outside its format"],
    ],
    [
      "a quantized value of one that is not",
      changed("x", ({ quant: _, ...value }) => value as Value),
      ["an argument is not quantized"],
    ],
    [
      "a format that the operator does not give",
      changed(
        "y",
        (value) => ({ ...value, quant: (sound.values.get(valueId("s")) as Value).quant }) as Value,
      ),
      ["the format is not the one that the operator gives"],
    ],
    [
      "codes of an operator that has none",
      changed("y", op({ op: "identity" })),
      ["identity is no primitive operator"],
    ],
  ])("names %s", (_, graph, messages) => {
    const found = faults(graph);
    expect(found).toHaveLength(messages.length);
    for (const [i, message] of messages.entries()) expect(found[i]).toContain(message);
    expect(() => assertGraph(graph, ops, "a test")).toThrow(
      `after a test:\nN2F_GRAPH_INVALID: ${messages[0]}`,
    );
  });

  it("names an output that is no value", () => {
    const graph = { ...sound, outputs: [{ name: "out", value: "gone" as ValueId }] };
    expect(faults(graph)).toEqual(["N2F_GRAPH_INVALID: output out is no value\n  at gone"]);
  });

  it("says where", () => {
    const [fault] = faults(changed("y", op({ shape: [2] })));
    expect(fault).toContain("\n  at y, act (Relu)");
  });
});
