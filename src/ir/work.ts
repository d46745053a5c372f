import { sizeOf } from "../tensor/index.ts";
import { isProduct, weightMatrices } from "./columns.ts";
import type { Graph, OpValue } from "./graph.ts";

/** Multiply-accumulates of one inference, or as many operations on elements where there are none. */
export function workOf(graph: Graph): number {
  let work = 0;
  for (const value of graph.values.values()) {
    if (value.kind === "op") work += sizeOf(value.shape) * workOfElement(graph, value);
  }
  return work;
}

/** Numbers that one element of a result is made of. */
function workOfElement(graph: Graph, value: OpValue): number {
  const shapeOf = (arg: number) => graph.values.get(value.args[arg])?.shape ?? [];
  if (isProduct(value.op)) {
    return weightMatrices(value.op, shapeOf(1))?.rows ?? shapeOf(0).at(-1) ?? 1;
  }
  // Windows of a pooling.
  const { kernel } = value.attrs;
  return Array.isArray(kernel) ? sizeOf(kernel) : 1;
}
