import type { onnx } from "onnx-proto";
import { describe, expect, test } from "vitest";
import type { OnnxAttribute } from "../../../src/onnx/index.ts";
import { floats, read, refusal, value } from "./build.ts";

function node(input: string[], output: string[], more: onnx.INodeProto = {}): onnx.INodeProto {
  return { opType: "Sum", input, output, ...more };
}

function attribute(proto: onnx.IAttributeProto): onnx.IGraphProto {
  return { node: [node(["x"], ["y"], { attribute: [{ name: "a", ...proto }] })] };
}

const huge = { low: 0, high: 2 ** 21, unsigned: false } as unknown as number;
const int64Max = { low: -1, high: 2 ** 31 - 1, unsigned: false } as unknown as number;
const int64Min = { low: 0, high: -(2 ** 31), unsigned: false } as unknown as number;
const tensor = { dims: [1], data: Float64Array.of(2), dtype: "float", elementType: "float32" };
const { dims: shape, ...rest } = tensor;
const text = (s: string) => Buffer.from(s);
const type = { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2 }] } } };

describe("attributes", () => {
  test.each<[onnx.IAttributeProto, OnnxAttribute | object]>([
    [
      { type: 1, f: 0.5 },
      { kind: "float", value: 0.5 },
    ],
    [{ type: 1 }, { kind: "float", value: 0 }],
    [
      { type: 2, i: -3 },
      { kind: "int", value: -3 },
    ],
    [
      { type: 2, i: int64Max },
      { kind: "int", value: Number.MAX_SAFE_INTEGER },
    ],
    [
      { type: 2, i: int64Min },
      { kind: "int", value: Number.MIN_SAFE_INTEGER },
    ],
    [
      { type: 3, s: text("è") },
      { kind: "string", value: "è" },
    ],
    [
      { type: 4, t: floats("", [2]) },
      { kind: "tensor", value: { shape, ...rest } },
    ],
    [
      { type: 6, floats: [1, 2] },
      { kind: "floats", value: [1, 2] },
    ],
    [
      { type: 7, ints: [1, int64Max] },
      { kind: "ints", value: [1, Number.MAX_SAFE_INTEGER] },
    ],
    [{ type: 7 }, { kind: "ints", value: [] }],
    [
      { type: 8, strings: [text("a"), text("")] },
      { kind: "strings", value: ["a", ""] },
    ],
    [
      { type: 9, tensors: [floats("", [2])] },
      { kind: "tensors", value: [{ shape, ...rest }] },
    ],
    [
      { type: 13, tp: type },
      { kind: "type", value: { elementType: "float32", shape: [2] } },
    ],
    [
      { type: 14, typeProtos: [type] },
      { kind: "types", value: [{ elementType: "float32", shape: [2] }] },
    ],
    // Files of the first version of the format give no types.
    [{ i: 0 }, { kind: "int", value: 0 }],
    [{ ints: [4] }, { kind: "ints", value: [4] }],
    [{ s: text("b") }, { kind: "string", value: "b" }],
  ])("%j", (proto, expected) => {
    expect(read(attribute(proto)).graph.nodes[0].attributes.get("a")).toEqual(expected);
  });

  test.each<[string, onnx.IAttributeProto, string]>([
    [
      "an integer that a double would round",
      { type: 2, i: huge },
      "is 9007199254740992, which is beyond 2^53",
    ],
    ["a type that is unknown", { type: 77 as number }, "has no type that ONNX knows (77)"],
    ["no type and no value", {}, "has no type that ONNX knows (0)"],
    ["a tensor that is missing", { type: 4 }, "has no value"],
    ["a graph that is missing", { type: 5 }, "has no value"],
    ["a reference outside a function", { type: 2, refAttrName: "b" }, 'refers to "b"'],
    ["no name", { name: "", type: 2 }, "has an attribute without a name"],
  ])("refuses %s", (_, proto, message) => {
    expect(refusal(attribute(proto))).toContain(message);
  });

  test("two of one name contradict each other", () => {
    const twice = [
      { name: "a", type: 2 },
      { name: "a", type: 2 },
    ];
    expect(refusal({ node: [node(["x"], ["y"], { attribute: twice })] })).toBe(
      'N2F_ONNX_CORRUPT: node "y" (Sum) has two attributes "a"',
    );
  });
});

describe("order", () => {
  const names = (graph: onnx.IGraphProto) => read(graph).graph.nodes.map(({ name }) => name);

  test("stays where it is right", () => {
    const nodes = [
      node([], ["b"], { name: "2" }),
      node(["x"], ["a"], { name: "1" }),
      node(["a", "", "b"], ["y"], { name: "3" }),
    ];
    expect(names({ node: nodes })).toEqual(["2", "1", "3"]);
  });

  test("is mended where it is not, even for chains of 50,000 nodes", () => {
    const length = 50_000;
    const chain = Array.from({ length }, (_, i) =>
      node([i === 0 ? "x" : `v${i - 1}`], [i === length - 1 ? "y" : `v${i}`], { name: String(i) }),
    );
    expect(names({ node: chain.toReversed() })).toEqual(chain.map(({ name }) => name));
  });

  test("counts what the graphs inside a node read from around it", () => {
    const branch = { node: [node(["late"], ["r"])], output: [value("r")] };
    const nodes = [
      node(["x"], ["y"], { name: "if", attribute: [{ name: "then", type: 5, g: branch }] }),
      node(["x"], ["late"], { name: "maker" }),
    ];
    expect(names({ node: nodes })).toEqual(["maker", "if"]);
  });

  test.each([
    ["itself", [node(["x", "y"], ["y"])], 'node "y" (Sum)'],
    ["each other", [node(["x", "y"], ["a"]), node(["a"], ["y"])], 'node "a" (Sum), node "y" (Sum)'],
  ])("does not exist for nodes that wait for %s", (_, nodes, circle) => {
    expect(refusal({ node: nodes })).toBe(
      `N2F_ONNX_CORRUPT: the graph goes in a circle: ${circle}`,
    );
  });
});

describe("graphs inside nodes", () => {
  const inner = {
    node: [node(["x", "k"], ["r"])],
    output: [value("r")],
    initializer: [floats("k", [1])],
  };

  test("may read what is around them", () => {
    const { nodes } = read(attribute({ type: 5, g: inner })).graph;
    const found = nodes[0].attributes.get("a");
    expect(found?.kind === "graph" && found.value.nodes[0].inputs).toEqual(["x", "k"]);
    expect(read(attribute({ type: 10, graphs: [inner, inner] })).graph.nodes).toHaveLength(1);
  });

  test("keep their values to themselves", () => {
    const nodes = [
      node(["x"], ["a"], { attribute: [{ name: "g", type: 5, g: inner }] }),
      node(["r"], ["y"]),
    ];
    expect(refusal({ node: nodes })).toBe(
      'N2F_ONNX_CORRUPT: node "y" (Sum) reads "r", which nothing makes',
    );
  });

  test("must find what they read", () => {
    const lost = { ...inner, node: [node(["nowhere"], ["r"], { name: "n" })] };
    expect(refusal(attribute({ type: 5, g: lost }))).toBe(
      'N2F_ONNX_CORRUPT: node "n" (Sum), inside node "y" (Sum), reads "nowhere", which nothing makes',
    );
  });
});

describe("refuses", () => {
  test.each<[string, onnx.IGraphProto, string]>([
    [
      "a value that nothing makes",
      { node: [node(["z"], ["y"])] },
      'node "y" (Sum) reads "z", which nothing makes',
    ],
    [
      "an output that nothing makes",
      { output: [value("q")] },
      'output "q" reads "q", which nothing makes',
    ],
    [
      "a value made twice",
      { node: [node(["x"], ["y"]), node(["x"], ["y"], { name: "b" })] },
      'node "b" (Sum) makes "y", which node "y" (Sum) makes too',
    ],
    [
      "an input made again",
      { node: [node([], ["x"]), node(["x"], ["y"])] },
      'node "x" (Sum) makes "x", which an input or initializer makes too',
    ],
    [
      "one node that makes a value twice",
      { node: [node(["x"], ["y", "y"])] },
      'makes "y", which node "y" (Sum) makes too',
    ],
    ["a node without outputs", { node: [node(["x"], [])] }, 'node "" (Sum) has no outputs'],
    [
      "a node with unnamed outputs only",
      { node: [node(["x"], ["", ""])] },
      'node "" (Sum) has no outputs',
    ],
    [
      "a node without operator",
      { node: [node(["x"], ["y"], { opType: "" })] },
      'node "y" () has no operator',
    ],
    ["a graph without outputs", { output: [] }, "the graph has no outputs"],
    [
      "two inputs of one name",
      { input: [value("x"), value("x")] },
      'two of the graph\'s inputs are called "x"',
    ],
    [
      "two outputs of one name",
      { output: [value("y"), value("y")] },
      'two of the graph\'s outputs are called "y"',
    ],
    [
      "an input without name",
      { input: [value("x"), value("")] },
      "one of the graph's inputs has no name",
    ],
    [
      "two initializers of one name",
      { initializer: [floats("w", [1]), floats("w", [1])] },
      'there are two initializers "w"',
    ],
    [
      "an initializer without name",
      { initializer: [floats("", [1])] },
      "an initializer has no name",
    ],
    [
      "a type that ONNX does not have",
      { valueInfo: [{ name: "v", type: { tensorType: { elemType: 99 } } }] },
      'value "v" has elements of the type number 99',
    ],
    [
      "a name of a million letters, which it cuts short",
      { node: [node(["z".repeat(1e6)], ["y"])] },
      `reads "${"z".repeat(80)}...", which nothing makes`,
    ],
  ])("%s", (_, graph, message) => {
    const found = refusal(graph);
    expect(found).toMatch(/^N2F_ONNX_CORRUPT: /);
    expect(found).toContain(message);
    expect(found.length).toBeLessThan(300);
  });
});
