import { expect, it } from "vitest";
import { evaluate, valueId } from "../../../src/ir/index.ts";
import { importModel } from "../../../src/onnx/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { makeTensor, type Tensor } from "../../../src/tensor/index.ts";
import { modelOf, node, tensor } from "./import-fixtures.ts";

it("a query that a constant mask leaves without any key attends to nothing", () => {
  const shape = [1, 1, 2, 2];
  const model = modelOf({
    nodes: [node("Attention", ["q", "k", "v", "mask"], ["y"])],
    inputs: { q: shape, k: shape, v: shape },
    constants: { mask: tensor([2, 2], [1, 0, 0, 0], "bool" as "int64") },
    outputs: ["y"],
    opset: 23,
  });
  const graph = importModel(model);
  const feed = new Map(
    ["q", "k", "v"].map((id, i) => [valueId(id), makeTensor(shape, [i, 2, -1, 4])]),
  );
  const values = evaluate(graph, ops, feed);
  // The first query sees the first key alone, the second none.
  const { data } = values.get(graph.outputs[0].value) as Tensor;
  [2, 2, 0, 0].forEach((want, i) => {
    expect(data[i]).toBeCloseTo(want, 6);
  });
});
