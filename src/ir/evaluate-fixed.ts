import { type Graph, type Quant, quantOf, type ValueId } from "./graph.ts";
import type { Registry } from "./op.ts";
import { primitiveOf, quantArgs } from "./quantize-value.ts";

/**
 * The codes of every value of a quantized graph, by the `fixed` facets: slow, exact, written for clarity.
 * It is what all else is compared with. Each code is checked to lie in its proven interval.
 */
export function evaluateFixed(
  graph: Graph,
  ops: Registry,
  inputs: ReadonlyMap<ValueId, readonly bigint[]>,
): Map<ValueId, readonly bigint[]> {
  const results = new Map<ValueId, readonly bigint[]>();
  for (const value of graph.values.values()) {
    if (value.kind === "const") {
      results.set(value.id, Array.from(value.data.data, BigInt));
      continue;
    }
    let codes: readonly bigint[];
    if (value.kind === "input") {
      const given = inputs.get(value.id);
      if (given === undefined) throw new Error(`input ${value.id} is not given`);
      codes = given;
    } else {
      const args = value.args.map((id) => results.get(id) as readonly bigint[]);
      const op = primitiveOf(ops, value.op);
      codes = op.fixed(args, quantArgs(graph, value), value.attrs, quantOf(value));
    }
    checkRange(value.id, codes, quantOf(value));
    results.set(value.id, codes);
  }
  return results;
}

function checkRange(id: ValueId, codes: readonly bigint[], { ranges }: Quant): void {
  const bad = codes.findIndex((code, i) => code < ranges.lo(i) || code > ranges.hi(i));
  if (bad >= 0) {
    const interval = `${ranges.lo(bad)}..${ranges.hi(bad)}`;
    throw new RangeError(
      `element ${bad} of ${id} is ${codes[bad]}, outside its proven interval ${interval}`,
    );
  }
}
