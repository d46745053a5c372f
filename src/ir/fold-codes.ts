import { makeTensor } from "../tensor/index.ts";
import { type Graph, getValue, quantOf, type Value, type ValueId } from "./graph.ts";
import type { Registry } from "./op.ts";
import { primitiveOf, quantArgs } from "./quantize-value.ts";

/** Bits of a constant's codes, which doubles hold exactly. */
const mostConstantBits = 53;

/**
 * A quantized graph in which codes that depend on constants alone are constants: the first step of a loop that is not
 * made as one, which begins with zeros.
 */
export function foldCodes(graph: Graph, ops: Registry): Graph {
  const values = new Map<ValueId, Value>();
  const folded: Graph = { ...graph, values };
  for (const value of graph.values.values()) {
    values.set(value.id, value);
    if (value.kind !== "op") continue;
    const { id, shape, dtype, origin, args } = value;
    const quant = quantOf(value);
    const data = args.flatMap((arg) => {
      const known = getValue(folded, arg);
      return known.kind === "const" ? [Array.from(known.data.data, BigInt)] : [];
    });
    if (data.length < args.length || quant.format.width > mostConstantBits) continue;
    const codes = primitiveOf(ops, value.op)
      .fixed(data, quantArgs(folded, value), value.attrs, quant)
      .map(Number);
    values.set(id, {
      ...{ kind: "const", id, shape, dtype, origin, quant },
      data: makeTensor(shape, codes, dtype),
    });
  }
  return folded;
}
