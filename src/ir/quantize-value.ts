import { bitsFor, type Format } from "../fixed/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { type Graph, getValue, type OpValue, type Quant, quantOf } from "./graph.ts";
import type { PrimitiveOp, QuantArg, Registry } from "./op.ts";
import { Ranges } from "./ranges.ts";

/** The primitive operator of a value. */
export function primitiveOf(ops: Registry, name: string): PrimitiveOp {
  const op = ops.get(name);
  if (op?.kind !== "primitive") throw new Error(`${name} is no primitive operator`);
  return op;
}

/** What an operator of a quantized graph may know of its arguments. */
export function quantArgs(graph: Graph, value: OpValue): QuantArg[] {
  return value.args.map((id) => {
    const arg = getValue(graph, id);
    const { shape, dtype } = arg;
    return { shape, dtype, quant: quantOf(arg), ...(arg.kind === "const" && { data: arg.data }) };
  });
}

/** Codes of a constant and the intervals they span: each element its own. */
export function constQuant(codes: Tensor, format: Format): Quant {
  return { format, ranges: Ranges.ofNumbers(codes.data, codes.data) };
}

/** The narrowest format of integer codes at a binary point. */
export function formatOfCodes(codes: Float64Array, frac: number): Format {
  let [lo, hi] = [0, 0];
  for (const code of codes) {
    if (code < lo) lo = code;
    if (code > hi) hi = code;
  }
  return { ...bitsFor(BigInt(lo), BigInt(hi)), frac };
}
