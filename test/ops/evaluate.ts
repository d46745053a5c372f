import { evaluate, type Graph, valueId } from "../../src/ir/index.ts";
import { ops } from "../../src/ops/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";

/** The outputs of a graph over real numbers, by the names of its outputs. */
export function evaluateFloat(
  graph: Graph,
  inputs: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  const known = new Map([...inputs].map(([name, tensor]) => [valueId(name), tensor]));
  const values = evaluate(graph, ops, known);
  return new Map(graph.outputs.map(({ name, value }) => [name, values.get(value) as Tensor]));
}
