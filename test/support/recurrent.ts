import { Random } from "../../src/base/index.ts";
import { type Graph, inputsOf } from "../../src/ir/index.ts";
import { importModel } from "../../src/onnx/index.ts";
import { ops } from "../../src/ops/index.ts";
import { runPasses } from "../../src/passes/index.ts";
import {
  defaultQuantizeOptions,
  gatherStatistics,
  quantizeGraph,
} from "../../src/quantize/index.ts";
import { makeTensor, sizeOf } from "../../src/tensor/index.ts";
import { floats, read, value } from "../unit/onnx/build.ts";

const random = new Random(3);
const numbers = (count: number) => Array.from({ length: count }, () => random.normal());
/** Noise as a constant of a model. */
export const smallTensor = (name: string, dims: number[]) => ({
  ...floats(
    name,
    numbers(sizeOf(dims)).map((x) => Math.fround(x / 2)),
  ),
  dims,
});

/** A recurrent layer of 3 units over some steps of 2 numbers, for a batch of 2, quantized to 8 bits. */
export function recurrentLayer(
  opType: string,
  gates: number,
  attributes: Readonly<Record<string, number>> = {},
  steps = 3,
): Graph {
  const attribute = Object.entries({ hidden_size: 3, ...attributes }).map(([name, i]) => ({
    ...{ name, type: 2, i },
  }));
  return quantizedNoise({
    node: [{ name: "r", opType, input: ["x", "w", "r", "b"], output: ["y"], attribute }],
    input: [value("x", [steps, 2, 2])],
    output: [{ name: "y", type: { tensorType: { elemType: 1 } } }],
    initializer: [
      smallTensor("w", [1, gates * 3, 2]),
      smallTensor("r", [1, gates * 3, 3]),
      smallTensor("b", [1, gates * 6]),
    ],
  });
}

/** A model quantized to 8 bits, on noise. */
export function quantizedNoise(graph: Parameters<typeof read>[0]): Graph {
  const imported = runPasses(importModel(read(graph)), ops);
  const feeds = [1, 2].map(
    () =>
      new Map(
        inputsOf(imported).map(({ id, shape }) => [id, makeTensor(shape, numbers(sizeOf(shape)))]),
      ),
  );
  const statistics = gatherStatistics(imported, ops, feeds);
  const width = { kind: "width" as const, widthBits: 8 };
  return quantizeGraph(imported, ops, statistics, { ...defaultQuantizeOptions, default: width })
    .graph;
}
