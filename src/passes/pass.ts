import type { Graph, Registry } from "../ir/index.ts";

/** A rewriting of the graph that keeps its meaning. */
export interface Pass {
  /** As `--print-after` names it. */
  readonly name: string;
  readonly description: string;
  run(graph: Graph, ops: Registry): Graph;
}

export function definePass(pass: Pass): Pass {
  return pass;
}
