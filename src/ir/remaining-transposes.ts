import { sizeOf } from "../tensor/index.ts";
import { type Graph, getValue, type ValueId } from "./graph.ts";
import { permOf } from "./permutation.ts";

/** A transpose that the passes could not make vanish, and what it costs. */
export interface RemainingTranspose {
  readonly value: ValueId;
  /** The node of the user's model that it belongs to. */
  readonly node: string;
  /**
   * At the edge of the network a transpose is only the order in which a packet's elements are addressed;
   * inside it is a buffer.
   */
  readonly place: "input" | "inside" | "output";
  readonly elements: number;
  /** Bits buffered where values come one after the other; absent before quantization. */
  readonly bits?: number;
}

/** The transposes that are left in a graph, with their cost. */
export function remainingTransposes(graph: Graph): readonly RemainingTranspose[] {
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  return [...graph.values.values()].flatMap((value): RemainingTranspose[] => {
    if (value.kind !== "op" || permOf(value) === undefined) return [];
    const x = getValue(graph, value.args[0]);
    if (x.kind === "const") return [];
    const place = x.kind === "input" ? "input" : outputs.has(value.id) ? "output" : "inside";
    const elements = sizeOf(value.shape);
    const { id, origin, quant } = value;
    const bits = quant && { bits: elements * quant.format.width };
    return [{ value: id, node: origin.node, place, elements, ...bits }];
  });
}
