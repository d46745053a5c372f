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
  console.warn("onnxruntime-node is not installed: RotaryEmbedding was NOT compared with it");
}

describe("RotaryEmbedding", () => {
  it.skipIf(ort === undefined).each([
    { shape: [2, 3, 4, 8], attributes: {}, half: 4 },
    { shape: [2, 3, 4, 8], attributes: { interleaved: 1 }, half: 4 },
    { shape: [2, 4, 24], attributes: { num_heads: 3 }, half: 4 },
    { shape: [2, 3, 4, 8], attributes: { rotary_embedding_dim: 4 }, half: 2 },
    { shape: [2, 4, 24], attributes: { num_heads: 3, interleaved: 1 }, half: 4 },
  ])("of $shape with $attributes computes what ONNX Runtime computes", async (layer) => {
    const { shape, attributes, half } = layer;
    const random = new Random(7);
    const numbers = (count: number) =>
      Array.from({ length: count }, () => Math.fround(random.normal()));
    const x = numbers(sizeOf(shape));
    const cache = (name: string): onnx.ITensorProto => ({
      ...floats(name, numbers(10 * half)),
      dims: [10, half],
    });
    const positions = { name: "p", dataType: 7, dims: [2, 4], int64Data: [0, 1, 2, 3, 9, 2, 2, 5] };
    const attribute = Object.entries(attributes).map(([name, i]) => ({ name, type: 2, i }));
    const bytes = modelBytes(
      {
        node: [
          { opType: "RotaryEmbedding", input: ["x", "c", "s", "p"], output: ["y"], attribute },
        ],
        input: [value("x", shape)],
        output: [{ name: "y", type: { tensorType: { elemType: 1 } } }],
        initializer: [cache("c"), cache("s"), positions],
      },
      { irVersion: 10, opsetImport: [{ domain: "", version: 23 }] },
    );
    const { InferenceSession, Tensor } = ort as NonNullable<typeof ort>;
    const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
    const theirs = await session.run({ x: new Tensor("float32", Float32Array.from(x), shape) });
    await session.release();
    const graph = importModel(decodeModel(bytes, path));
    const ours = evaluateFloat(graph, new Map([["x", makeTensor(shape, x)]])).get("y");
    expect(ours?.shape).toEqual(theirs["y"].dims);
    Array.from(theirs["y"].data as Float32Array).forEach((y, i) => {
      expect(Math.abs((ours?.data[i] as number) - y)).toBeLessThan(1e-5);
    });
  });
});
