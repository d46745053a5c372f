import fc from "fast-check";
import type { onnx } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { decodeModel, importModel } from "../../../src/onnx/index.ts";
import { makeTensor, sizeOf } from "../../../src/tensor/index.ts";
import { evaluateFloat } from "../../ops/evaluate.ts";
import { loadOnnxRuntime } from "../../ops/onnx-twin.ts";
import { floats, modelBytes, path, value } from "./build.ts";

const ort = await loadOnnxRuntime();
if (ort === undefined) {
  console.warn("onnxruntime-node is not installed: recurrent layers were NOT compared with it");
}

const gates = { RNN: 1, GRU: 3, LSTM: 4 } as const;
const functions = { RNN: 1, GRU: 2, LSTM: 3 } as const;

const arbitraryLayer = fc.record({
  op: fc.constantFrom("RNN", "GRU", "LSTM"),
  direction: fc.constantFrom("forward", "reverse", "bidirectional"),
  length: fc.integer({ min: 1, max: 3 }),
  batch: fc.integer({ min: 1, max: 2 }),
  input: fc.integer({ min: 1, max: 3 }),
  hidden: fc.integer({ min: 1, max: 3 }),
  hasBias: fc.boolean(),
  hasState: fc.boolean(),
  hasPeepholes: fc.boolean(),
  isShort: fc.boolean(),
  clip: fc.constantFrom(0, 0, 0.5),
  isLinearFirst: fc.boolean(),
  isCoupled: fc.constant(false),
  activations: fc.option(
    fc.array(fc.constantFrom("Tanh", "Sigmoid", "Relu", "HardSigmoid", "Softsign"), {
      minLength: 6,
      maxLength: 6,
    }),
    { nil: undefined },
  ),
  seed: fc.nat(),
});

type Layer = typeof arbitraryLayer extends fc.Arbitrary<infer T> ? T : never;

/** The layer as a model whose inputs are the sequence and the state, and which gives all outputs. */
function modelOf(layer: Layer) {
  const { op, length, batch, input, hidden } = layer;
  const random = new Random(layer.seed);
  const ways = layer.direction === "bidirectional" ? 2 : 1;
  const rows = gates[op] * hidden;
  const numbers = (shape: readonly number[]) =>
    Array.from({ length: sizeOf(shape) }, () => Math.fround(random.normal() / 2));
  const initializer: onnx.ITensorProto[] = [];
  const constant = (name: string, dims: readonly number[], isGiven = true): string => {
    if (isGiven) initializer.push({ ...floats(name, numbers(dims)), dims: [...dims] });
    return isGiven ? name : "";
  };
  const feeds = new Map<string, readonly [readonly number[], number[]]>();
  const given = (name: string, dims: readonly number[], isGiven = true): string => {
    if (isGiven) feeds.set(name, [dims, numbers(dims)]);
    return isGiven ? name : "";
  };
  const state = [ways, batch, hidden];
  const inputs = [
    given("x", [length, batch, input]),
    constant("w", [ways, rows, input]),
    constant("r", [ways, rows, hidden]),
    constant("b", [ways, 2 * rows], layer.hasBias),
    layer.isShort ? "lengths" : "",
    given("h", state, layer.hasState),
  ];
  if (op === "LSTM") {
    inputs.push(given("c", state, layer.hasState));
    inputs.push(constant("p", [ways, 3 * hidden], layer.hasPeepholes));
  }
  if (layer.isShort) {
    const lengths = Array.from({ length: batch }, (_, i) => Math.max(1, length - i));
    initializer.push({ name: "lengths", dataType: 6, dims: [batch], int32Data: lengths });
  }
  const attribute: onnx.IAttributeProto[] = [
    { name: "hidden_size", type: 2, i: hidden },
    { name: "direction", type: 3, s: Buffer.from(layer.direction) },
  ];
  if (layer.clip > 0) attribute.push({ name: "clip", type: 1, f: layer.clip });
  if (op === "GRU")
    attribute.push({ name: "linear_before_reset", type: 2, i: Number(layer.isLinearFirst) });
  const chosen = layer.activations?.slice(0, ways * functions[op]);
  if (chosen !== undefined) {
    const strings = chosen.map((name) => Buffer.from(name));
    attribute.push({ name: "activations", type: 8, strings });
  }
  const output = ["y", "y_h", ...(op === "LSTM" ? ["y_c"] : [])];
  const bytes = modelBytes({
    node: [{ name: "layer", opType: op, input: inputs, output, attribute }],
    input: [...feeds].map(([name, [dims]]) => value(name, dims)),
    output: output.map((name) => ({ name, type: { tensorType: { elemType: 1 } } })),
    initializer,
  });
  return { bytes, feeds, output };
}

describe("recurrent layers", () => {
  it.skipIf(ort === undefined)("compute what ONNX Runtime computes", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryLayer, async (layer) => {
        const { bytes, feeds, output } = modelOf(layer);
        const { InferenceSession, Tensor } = ort as NonNullable<typeof ort>;
        const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
        const theirs = await session.run(
          Object.fromEntries(
            [...feeds].map(([name, [dims, data]]) => [
              name,
              new Tensor("float32", Float32Array.from(data), [...dims]),
            ]),
          ),
        );
        await session.release();
        const graph = importModel(decodeModel(bytes, path));
        const inputs = [...feeds].map(
          ([name, [dims, data]]) => [name, makeTensor(dims, data)] as const,
        );
        const ours = evaluateFloat(graph, new Map(inputs));
        for (const name of output) {
          const expected = Array.from(theirs[name].data as Float32Array);
          const actual = Array.from(ours.get(name)?.data ?? []);
          expect(ours.get(name)?.shape).toEqual(theirs[name].dims);
          expected.forEach((y, i) => {
            expect(Math.abs(actual[i] - y), `${name} at ${i}`).toBeLessThan(2e-5);
          });
        }
      }),
      { numRuns: 80 },
    );
  });
});
