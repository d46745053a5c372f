import { readFileSync, writeFileSync } from "node:fs";
import type { onnx } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { readBundle } from "../../src/artifact/index.ts";
import { Random } from "../../src/base/index.ts";
import type { LoopPlan } from "../../src/design/index.ts";
import { type CompileSummary, compile, loadConfig } from "../../src/index.ts";
import { sizeOf } from "../../src/tensor/index.ts";
import { tools } from "../support/hw.ts";
import { problemOf } from "../support/problem.ts";
import { expectExact } from "../support/streamed.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { floats, modelBytes, value } from "../unit/onnx/build.ts";

/** Small networks of one operator or a few, each as streams: bits and cycles under Verilator. */

type Ints = Readonly<Record<string, number | string | readonly number[] | readonly string[]>>;

const attributes = (ints: Ints): onnx.IAttributeProto[] =>
  Object.entries(ints).map(([name, of]) => {
    if (name === "clip") return { name, type: 1, f: Number(of) };
    if (typeof of === "number") return { name, type: 2, i: of };
    if (typeof of === "string") return { name, type: 3, s: Buffer.from(of) };
    if (isNumbers(of)) return { name, type: 7, ints: [...of] };
    return { name, type: 8, strings: of.map((text) => Buffer.from(text)) };
  });

const isNumbers = (of: readonly number[] | readonly string[]): of is readonly number[] =>
  of.every((one) => typeof one === "number");

const node = (opType: string, input: string[], output: string[], ints: Ints = {}) => ({
  name: output[0],
  opType,
  input,
  output,
  attribute: attributes(ints),
});

const random = new Random(7);
const numbers = (name: string, dims: readonly number[], size = 0.5): onnx.ITensorProto => ({
  ...floats(
    name,
    Array.from({ length: sizeOf(dims) }, () => Math.fround(random.normal() * size)),
  ),
  dims: [...dims],
});

interface Small {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly nodes: readonly onnx.INodeProto[];
  readonly constants?: readonly onnx.ITensorProto[];
  readonly outputs?: readonly string[];
  readonly targetFps?: number;
  readonly opset?: number;
  /** Of the configuration. */
  readonly yaml?: string;
  /** States that come round; absent: none is looked for. */
  readonly states?: number;
}

/** x goes through one operator. */
const single = (shape: readonly number[], opType: string, ints: Ints = {}): Small => ({
  inputs: { x: shape },
  nodes: [node(opType, ["x"], ["y"], ints)],
});

/** A recurrent layer over a sequence of `length` steps of 5 numbers, with 6 units. */
function recurrent(
  opType: "LSTM" | "GRU" | "RNN",
  length: number,
  { ways = 1, ...ints }: Ints & { readonly ways?: number } = {},
): Small {
  const gates = { RNN: 1, GRU: 3, LSTM: 4 }[opType];
  const outputs = ["y", "y_h", ...(opType === "LSTM" ? ["y_c"] : [])];
  return {
    inputs: { x: [length, 1, 5] },
    nodes: [node(opType, ["x", "w", "r", "b"], outputs, { hidden_size: 6, ...ints })],
    constants: [
      numbers("w", [ways, gates * 6, 5]),
      numbers("r", [ways, gates * 6, 6]),
      numbers("b", [ways, gates * 12]),
    ],
    outputs,
  };
}

interface CellAttributes extends Ints {
  readonly hidden_size: number;
}

/**
 * Recurrent layers side by side, over the same sequence of 5 steps of 3 numbers; every result of each leaves.
 *
 * @param begins layers whose states begin with an input of the network; `peeps`: LSTMs with peepholes
 */
function cells(
  batch: number,
  layers: readonly (readonly ["LSTM" | "GRU" | "RNN", CellAttributes, ...("begins" | "peeps")[]])[],
): Small {
  const inputs: Record<string, readonly number[]> = { x: [5, batch, 3] };
  const constants: onnx.ITensorProto[] = [];
  const outputs: string[] = [];
  const nodes = layers.map(([opType, attrs, ...more], i) => {
    const name = (what: string) => `${what}${i}`;
    const gates = { RNN: 1, GRU: 3, LSTM: 4 }[opType];
    const ways = attrs["direction"] === "bidirectional" ? 2 : 1;
    const units = attrs.hidden_size;
    constants.push(
      numbers(name("w"), [ways, gates * units, 3]),
      numbers(name("r"), [ways, gates * units, units]),
      numbers(name("b"), [ways, gates * 2 * units]),
    );
    const args = ["x", name("w"), name("r"), name("b"), "", "", "", ""];
    const states = opType === "LSTM" ? ["h", "c"] : ["h"];
    states.forEach((state, at) => {
      if (!more.includes("begins")) return;
      inputs[name(state)] = [ways, batch, units];
      args[5 + at] = name(state);
    });
    if (more.includes("peeps")) {
      constants.push(numbers(name("p"), [ways, 3 * units]));
      args[7] = name("p");
    }
    while (args.at(-1) === "") args.pop();
    const results = ["y", ...states.map((state) => `y_${state}`)].map(name);
    outputs.push(...results);
    return node(opType, args, results, attrs);
  });
  const states = layers.reduce(
    (sum, [opType, { direction }]) =>
      sum + (opType === "LSTM" ? 2 : 1) * (direction === "bidirectional" ? 2 : 1),
    0,
  );
  return { inputs, nodes, constants, outputs, targetFps: 200_000, states };
}

/** Two recurrent layers, the first backwards and forwards; of the second only the last step is read. */
function stacked(length: number): Small {
  const first = recurrent("LSTM", length, { ways: 2, direction: "bidirectional" });
  return {
    inputs: first.inputs,
    nodes: [
      ...first.nodes,
      node("Transpose", ["y"], ["turned"], { perm: [0, 2, 1, 3] }),
      node("Reshape", ["turned", "joined"], ["x2"]),
      node("GRU", ["x2", "w2", "r2", "b2"], ["", "last"], { hidden_size: 4 }),
    ],
    constants: [
      ...(first.constants ?? []),
      { name: "joined", dataType: 7, dims: [3], int64Data: [length, 1, 12] },
      ...[numbers("w2", [1, 12, 12]), numbers("r2", [1, 12, 4]), numbers("b2", [1, 24])],
    ],
    outputs: ["last"],
  };
}

/** An encoder of a transformer: two heads of 8 numbers over 6 tokens, then two dense layers. */
function encoder(): Small {
  const [tokens, heads, width, inner] = [6, 2, 8, 32];
  const model = heads * width;
  const ints = (name: string, data: readonly number[]): onnx.ITensorProto => ({
    name,
    dataType: 7,
    dims: [data.length],
    int64Data: [...data],
  });
  const turned = (name: string, perm: readonly number[]) => [
    node("MatMul", ["n1", `w${name}`], [`p${name}`]),
    node("Reshape", [`p${name}`, "split"], [`r${name}`]),
    node("Transpose", [`r${name}`], [name], { perm }),
  ];
  return {
    opset: 20,
    inputs: { x: [1, tokens, model] },
    nodes: [
      node("LayerNormalization", ["x", "g1", "b1"], ["n1"], { axis: -1 }),
      ...turned("q", [0, 2, 1, 3]),
      ...turned("k", [0, 2, 3, 1]),
      ...turned("v", [0, 2, 1, 3]),
      node("MatMul", ["q", "k"], ["scores"]),
      node("Mul", ["scores", "scale"], ["scaled"]),
      node("Softmax", ["scaled"], ["weights"], { axis: -1 }),
      node("MatMul", ["weights", "v"], ["mixed"]),
      node("Transpose", ["mixed"], ["together"], { perm: [0, 2, 1, 3] }),
      node("Reshape", ["together", "join"], ["joined"]),
      node("MatMul", ["joined", "wo"], ["attended"]),
      node("Add", ["x", "attended"], ["a"]),
      node("LayerNormalization", ["a", "g2", "b2"], ["n2"], { axis: -1 }),
      node("MatMul", ["n2", "w1"], ["up"]),
      node("Gelu", ["up"], ["bent"]),
      node("MatMul", ["bent", "w2"], ["down"]),
      node("Add", ["a", "down"], ["y"]),
    ],
    constants: [
      ...["g1", "b1", "g2", "b2"].map((name) => numbers(name, [model], 1)),
      ...["wq", "wk", "wv", "wo"].map((name) => numbers(name, [model, model], 0.25)),
      numbers("w1", [model, inner], 0.25),
      numbers("w2", [inner, model], 0.25),
      { ...floats("scale", [width ** -0.5]), dims: [] },
      ints("split", [1, tokens, heads, width]),
      ints("join", [1, tokens, model]),
    ],
  };
}

/** Convolutions with stride, of each channel, and of pixels; pools with a remainder, and over all: 16 by 16 pixels. */
function pixels(cycles: number): Small {
  const same = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  return {
    inputs: { x: [1, 2, 16, 16] },
    nodes: [
      node("Conv", ["x", "w0"], ["c0"], { ...same, strides: [2, 2] }),
      node("Relu", ["c0"], ["r0"]),
      node("Conv", ["r0", "w1"], ["c1"], { ...same, group: 4 }),
      node("Conv", ["c1", "w2"], ["c2"], { kernel_shape: [1, 1] }),
      node("Add", ["c2", "r0"], ["a"]),
      node("MaxPool", ["a"], ["m"], { kernel_shape: [2, 2], strides: [2, 2] }),
      node("Conv", ["m", "w3"], ["c3"], { kernel_shape: [1, 1], strides: [2, 2] }),
      node("GlobalAveragePool", ["m"], ["g"]),
      node("Add", ["c3", "g"], ["y"]),
    ],
    constants: [
      numbers("w0", [4, 2, 3, 3]),
      numbers("w1", [4, 1, 3, 3]),
      numbers("w2", [4, 4, 1, 1]),
      numbers("w3", [4, 4, 1, 1]),
    ],
    targetFps: 200e6 / cycles,
  };
}

const models: Readonly<Record<string, Small>> = {
  "convolutions and pools, a pixel in a cycle": pixels(300),
  "convolutions and pools, two pixels in a cycle": pixels(140),
  "convolutions and pools, eight pixels in a cycle": pixels(40),
  "convolutions and pools, a row in a cycle": pixels(20),
  "seventeen results of one pipeline": {
    inputs: { x: [1, 6] },
    nodes: [
      node("Relu", ["x"], ["r"]),
      ...Array.from({ length: 17 }, (_, i) => node("Add", ["r", `c${i}`], [`y${i}`])),
    ],
    constants: Array.from({ length: 17 }, (_, i) => numbers(`c${i}`, [1, 6])),
    outputs: Array.from({ length: 17 }, (_, i) => `y${i}`),
  },
  "a transpose, all of it in a cycle": {
    ...single([1, 6, 8], "Transpose", { perm: [0, 2, 1] }),
    outputs: ["z"],
    nodes: [
      node("Transpose", ["x"], ["y"], { perm: [0, 2, 1] }),
      node("Softmax", ["y"], ["z"], { axis: -1 }),
    ],
  },
  "a padding that no window takes in": {
    inputs: { x: [1, 2, 4, 4] },
    nodes: [node("Pad", ["x", "pads"], ["p"]), node("Relu", ["p"], ["y"])],
    constants: [{ name: "pads", dataType: 7, dims: [8], int64Data: [0, 0, 1, 1, 0, 0, 1, 2] }],
  },
  "a frame around a picture that is too large for a beat": {
    inputs: { x: [1, 3, 16, 14] },
    nodes: [node("Tanh", ["x"], ["t"]), node("Pad", ["t", "pads", "fill"], ["y"])],
    constants: [
      { name: "pads", dataType: 7, dims: [8], int64Data: [0, 0, 2, 0, 0, 0, 1, 3] },
      { ...floats("fill", [-1.5]), dims: [] },
    ],
    targetFps: 200_000,
  },
  "a frame of rows, and one of channels, slowly": {
    inputs: { x: [1, 4, 12, 12] },
    nodes: [
      node("Relu", ["x"], ["r"]),
      node("Pad", ["r", "rows"], ["p"]),
      node("Sigmoid", ["p"], ["s"]),
      node("Pad", ["s", "channels"], ["y"]),
    ],
    constants: [
      { name: "rows", dataType: 7, dims: [8], int64Data: [0, 0, 1, 0, 0, 0, 2, 0] },
      { name: "channels", dataType: 7, dims: [8], int64Data: [0, 1, 0, 0, 0, 1, 0, 0] },
    ],
    targetFps: 100_000,
  },
  "constants joined to a stream": {
    inputs: { x: [1, 5, 3] },
    nodes: [node("Concat", ["x", "c"], ["j"], { axis: 1 }), node("Tanh", ["j"], ["y"])],
    constants: [numbers("c", [1, 2, 3])],
  },
  "softmax of short rows": single([1, 6, 10], "Softmax", { axis: -1 }),
  "softmax of long rows": single([1, 4, 100], "Softmax", { axis: -1 }),
  "softmax of long rows, slowly": {
    ...single([1, 4, 100], "Softmax", { axis: -1 }),
    targetFps: 250_000,
  },
  "softmax along columns": single([1, 5, 6], "Softmax", { axis: 1 }),
  "argmax of rows": single([1, 5, 12], "ArgMax", { axis: -1, keepdims: 0 }),
  "argmax of long rows": single([1, 3, 200], "ArgMax", { axis: -1 }),
  sigmoid: single([1, 8, 16], "Sigmoid"),
  tanh: single([1, 8, 16], "Tanh"),
  "an LSTM over a sequence": recurrent("LSTM", 4),
  "an LSTM over a sequence backwards and forwards": recurrent("LSTM", 3, {
    ways: 2,
    direction: "bidirectional",
  }),
  "a GRU over a sequence": recurrent("GRU", 4),
  "a GRU over a sequence, linear before reset": recurrent("GRU", 4, { linear_before_reset: 1 }),
  "an RNN over a sequence": recurrent("RNN", 5),
  "one cell for the steps of an RNN, backwards": {
    ...recurrent("RNN", 5, { direction: "reverse" }),
    targetFps: 200_000,
    states: 1,
  },
  "one cell for each layer, the first in both directions": {
    ...stacked(6),
    targetFps: 200_000,
    states: 5,
  },
  "an LSTM whose steps share a cell": { ...recurrent("LSTM", 6), targetFps: 200_000, states: 2 },
  "an LSTM backwards and forwards whose steps share two cells": {
    ...recurrent("LSTM", 4, { ways: 2, direction: "bidirectional" }),
    targetFps: 200_000,
    states: 4,
  },
  "a GRU whose steps share a cell": { ...recurrent("GRU", 5), targetFps: 200_000, states: 1 },
  "an LSTM with the fastest cell that all steps can share": {
    ...recurrent("LSTM", 6),
    yaml: "LayerName: { y: { Static: true } }",
    states: 2,
  },
  "a GRU with the fastest cell that all steps can share": {
    ...recurrent("GRU", 6),
    yaml: "LayerName: { y: { Static: true } }",
    states: 1,
  },
  "cells with peepholes, one gate for input and forget, and limits": cells(1, [
    ["LSTM", { hidden_size: 4 }, "peeps"],
    ["LSTM", { hidden_size: 3, input_forget: 1, clip: 1.5 }, "peeps"],
  ]),
  "cells for a batch, whose states begin with inputs": cells(2, [
    ["LSTM", { hidden_size: 4 }, "begins"],
    ["GRU", { hidden_size: 3, linear_before_reset: 1, clip: 1 }, "begins"],
    ["RNN", { hidden_size: 4, activations: ["Relu"], clip: 2 }, "begins"],
  ]),
  "cells of other activations, both ways, for a batch": cells(3, [
    [
      "GRU",
      {
        hidden_size: 4,
        direction: "bidirectional",
        activations: ["HardSigmoid", "Softsign", "Sigmoid", "Relu"],
      },
    ],
    [
      "LSTM",
      { hidden_size: 2, direction: "reverse", activations: ["HardSigmoid", "Softsign", "Relu"] },
      "begins",
      "peeps",
    ],
  ]),
  "an encoder of a transformer": encoder(),
  "an encoder of a transformer, slowly": { ...encoder(), targetFps: 200_000 },
};

/** Compiles it as streams, with 8 bits; the folder in which net.n2f is. */
function compileSmall(small: Small, yaml = ""): string {
  return compileAll(small, yaml).folder;
}

/** The same, and what is said of it. */
function compileAll(
  { inputs, nodes, constants = [], outputs = ["y"], targetFps, opset = 13 }: Small,
  yaml = "",
): { readonly folder: string; readonly summary: CompileSummary } {
  const folder = temporaryFolder();
  const graph = {
    node: [...nodes],
    input: Object.entries(inputs).map(([name, shape]) => value(name, shape)),
    output: outputs.map((name) => ({ name, type: { tensorType: { elemType: 1 } } })),
    initializer: [...constants],
  };
  const bytes = modelBytes(graph, { opsetImport: [{ domain: "", version: opset }] });
  writeFileSync(`${folder}/net.onnx`, bytes);
  writeFileSync(`${folder}/net.yaml`, yaml);
  const flags = { architecture: "stream", precision: "8", ...(targetFps && { targetFps }) };
  const summary = compile(`${folder}/net.onnx`, `${folder}/net.n2f`, {
    config: loadConfig(yaml === "" ? undefined : `${folder}/net.yaml`, flags),
    calibration: [],
  });
  return { folder, summary };
}

const instancesOf = (folder: string, module: string): number =>
  readFileSync(`${folder}/net.n2f/rtl/net_top.sv`, "utf8").split(`${module} #`).length - 1;
const statesOf = (folder: string) => instancesOf(folder, "n2f_loop");

describe("the steps of a recurrent layer", () => {
  /** Engines of the layer: one for the inputs of all steps, and those for the states. */
  const engines = (length: number, targetFps?: number, yaml?: string): number => {
    const small = recurrent("LSTM", length);
    const folder = compileSmall(targetFps === undefined ? small : { ...small, targetFps }, yaml);
    return instancesOf(folder, "n2f_mvu");
  };

  it.each([3, 12])("share a cell where the rate allows it: %i of them", (length) => {
    expect(engines(length, 100_000)).toBe(2);
  });

  it("are one cell, which does not grow with the sequence", () => {
    const resources = (length: number, targetFps: number) => {
      const folder = compileSmall({ ...recurrent("LSTM", length), targetFps });
      const { kernel } = readBundle(`${folder}/net.n2f`).manifest;
      return kernel.resources;
    };
    // As many cycles for a step in both.
    const [short, long] = [resources(4, 400_000), resources(32, 50_000)];
    expect(long.dsp).toBe(short.dsp);
    expect(long.lut).toBeLessThan(1.2 * short.lut);
  });

  it("have a cell each where the rate needs it, or nothing is said", () => {
    expect(engines(4, 8_000_000)).toBe(4);
    expect(engines(4)).toBe(4);
  });

  it("do as the configuration says", () => {
    expect(engines(4, undefined, "LayerName: { y: { Static: true } }")).toBe(2);
    expect(engines(4, 100_000, "LayerName: { y: { Static: false } }")).toBe(4);
  });

  /** What is said of the only loop. */
  const told = (length: number, targetFps?: number, yaml?: string) => {
    const small = recurrent("LSTM", length);
    const all = compileAll(targetFps === undefined ? small : { ...small, targetFps }, yaml);
    const { stream, intervalCycles } = all.summary;
    expect(stream?.loops.length).toBe(1);
    return { ...(stream?.loops[0] as LoopPlan), intervalCycles };
  };

  it("are said to share a cell or not, with the reason and what would change it", () => {
    const fastest = told(4);
    expect(fastest).toMatchObject({ steps: 4, isShared: false, why: "it is the fastest" });
    expect(fastest.hint).toContain("LayerName: { y: { Static: true } }");
    const tooSlow = told(4, 8_000_000);
    expect(tooSlow).toMatchObject({ isShared: false });
    expect(tooSlow.why).toMatch(/^one for all does not do: an inference in 25 cycles is wanted;/);
    const asked = told(4, 100_000, "LayerName: { y: { Static: false } }");
    expect(asked.isShared || asked.why).toBeFalsy();
  });

  it("say how long their round is, where it sets the pace", () => {
    const { isShared, round, intervalCycles } = told(12, 100_000);
    expect(isShared).toBe(true);
    expect(round?.cycles).toBe(Math.round(intervalCycles / 12));
    expect(round?.productCycles).toBeLessThan(round?.cycles ?? 0);
  });

  it("stand still with FIFOs by hand that hold less than a state, until they are as deep as is said", () => {
    const small = recurrent("LSTM", 4);
    const depth = (beats: number) =>
      `LayerName: { y: { Static: true, FifoDepth: ${beats}, PE: 4, SIMD: 1 } }`;
    const problem = problemOf(() => compileSmall(small, depth(2)));
    expect(problem?.code).toBe("N2F_DESIGN_DEADLOCK");
    expect(problem?.message).toMatch(
      /nothing moves any more: the FIFO from n\d+_\w+ to n\d+_\w+, full/,
    );
    expect(problem?.at).toBe("y (LSTM)");
    const needed = Number(problem?.hint?.match(/^Set FifoDepth of y to (\d+) or more/)?.[1]);
    expect(needed).toBeGreaterThan(2);
    expect(problemOf(() => compileSmall(small, depth(needed - 1)))?.code).toBe(
      "N2F_DESIGN_DEADLOCK",
    );
    expect(compileSmall(small, depth(needed))).toBeDefined();
  });
});

/** Steps of a sequence keep many inferences between inputs and outputs. */
const vectors = 128;
if (!tools.verilator) console.warn("verilator is not there: streamed operators are SKIPPED");

describe.skipIf(!tools.verilator)(
  "operators as streams, under Verilator with random stalls",
  () => {
    it.each(Object.entries(models))(
      "%s: every bit, and every cycle as predicted",
      async (_, small) => {
        const folder = compileSmall(small, small.yaml);
        if (small.states !== undefined) expect(statesOf(folder)).toBe(small.states);
        await expectExact(`${folder}/net.n2f`, vectors);
      },
      600_000,
    );
  },
);
