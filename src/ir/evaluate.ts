import type { Tensor } from "../tensor/index.ts";
import { type Graph, getValue, type ValueId } from "./graph.ts";
import type { Registry } from "./op.ts";

/**
 * The real values of a graph before quantization, by the `float` facets. What is known already (inputs at
 * the least) is taken and not computed again.
 */
export function evaluate(
  graph: Graph,
  ops: Registry,
  known: ReadonlyMap<ValueId, Tensor>,
): Map<ValueId, Tensor> {
  const results = new Map<ValueId, Tensor>();
  for (const value of graph.values.values()) {
    const given = known.get(value.id);
    if (given !== undefined) results.set(value.id, given);
    else if (value.kind === "const") results.set(value.id, value.data);
    else if (value.kind === "input") throw new Error(`input ${value.id} is not given`);
    else {
      const args = value.args.map((id) => results.get(getValue(graph, id).id) as Tensor);
      results.set(
        value.id,
        (ops.get(value.op) as NonNullable<ReturnType<Registry["get"]>>).float(args, value.attrs),
      );
    }
  }
  return results;
}
