import type { Graph, GraphOutput, Value, ValueId } from "../../src/ir/index.ts";
import { valueId } from "../../src/ir/index.ts";

/** Many graphs as one: all inputs first, then each graph's own values. Names get the graph's number. */
export function sideBySide(graphs: readonly Graph[]): Graph {
  const inputs: Value[] = [];
  const others: Value[] = [];
  const outputs: GraphOutput[] = [];
  graphs.forEach((graph, number) => {
    const renamed = (id: ValueId): ValueId => valueId(`g${number}_${id}`);
    for (const value of graph.values.values()) {
      const id = renamed(value.id);
      const origin = { ...value.origin, node: `g${number}_${value.origin.node}` };
      if (value.kind === "input") inputs.push({ ...value, id, origin });
      else if (value.kind === "const") others.push({ ...value, id, origin });
      else others.push({ ...value, id, origin, args: value.args.map(renamed) });
    }
    for (const { name, value } of graph.outputs) {
      outputs.push({ name: `g${number}_${name}`, value: renamed(value) });
    }
  });
  const values = new Map([...inputs, ...others].map((value) => [value.id, value]));
  return { name: "side by side", values, outputs };
}
