import { Builder, placeProblems } from "./builder.ts";
import { type Graph, type OpValue, usersOf, type Value, type ValueId } from "./graph.ts";
import type { Registry } from "./op.ts";

/** What a rewriting step may know and do at one value. Arguments are already rewritten. */
export interface RewriteContext {
  readonly build: Builder;
  /** The rewritten arguments of the value at hand. */
  readonly args: readonly ValueId[];
  /** The rewritten value of a name in the new graph. */
  value(id: ValueId): Value;
  /** Whether nothing else reads a value of the new graph, nor is it an output. */
  isUsedOnce(id: ValueId): boolean;
}

/**
 * Makes a graph anew, value by value. The step gives the value that takes the old one's place (and its
 * name), or nothing to keep it.
 */
export function rewriteGraph(
  graph: Graph,
  ops: Registry,
  step: (value: OpValue, context: RewriteContext) => ValueId | undefined,
): Graph {
  /** Names of values that are still to come. */
  const ahead = new Set(graph.values.keys());
  const build = new Builder(ops, ahead);
  const renamed = new Map<ValueId, ValueId>();
  const uses = new Map<ValueId, number>();
  for (const [id, users] of usersOf(graph)) uses.set(id, users.length);
  for (const { value } of graph.outputs) uses.set(value, (uses.get(value) ?? 0) + 1);
  const standsFor = new Map<ValueId, readonly ValueId[]>();
  const usesOfNew = new Map<ValueId, number>();
  const rewritten = (id: ValueId): ValueId => renamed.get(id) ?? id;

  for (const value of graph.values.values()) {
    ahead.delete(value.id);
    if (value.kind !== "op") {
      build.add(value);
      usesOfNew.set(value.id, uses.get(value.id) ?? 0);
      continue;
    }
    const args = value.args.map(rewritten);
    const context: RewriteContext = {
      build: build.from(value.origin),
      args,
      value: (id) => build.value(id),
      isUsedOnce: (id) => usesOfNew.get(id) === 1,
    };
    const replacement = placeProblems(value.origin, () => step(value, context));
    const id =
      replacement === undefined
        ? build.add({ ...value, args })
        : build.rename(replacement, value.id);
    renamed.set(value.id, id);
    // A value that stood for others already, and has another name now, goes on to stand for them.
    const others = replacement === undefined ? undefined : standsFor.get(replacement);
    for (const other of others ?? []) renamed.set(other, id);
    standsFor.set(id, [...(others ?? []), value.id]);
    usesOfNew.set(id, (usesOfNew.get(replacement ?? id) ?? 0) + (uses.get(value.id) ?? 0));
  }
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: rewritten(value) }));
  return build.graph(graph.name, outputs);
}
