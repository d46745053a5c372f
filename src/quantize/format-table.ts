import { formatText } from "../fixed/index.ts";
import { type Graph, quantOf } from "../ir/index.ts";

/** One value of a quantized graph, as reports list it. */
export interface FormatRow {
  readonly name: string;
  readonly node: string;
  readonly op: string;
  readonly shape: readonly number[];
  readonly format: string;
  /** Least and greatest code that can occur, in decimal: they may exceed what JSON numbers hold. */
  readonly codes: readonly [string, string];
}

/** Formats and proven code intervals of every value. */
export function formatTable(graph: Graph): FormatRow[] {
  return [...graph.values.values()].map((value) => {
    const { format, ranges } = quantOf(value);
    const [lo, hi] = ranges.hull();
    return {
      name: value.id,
      node: value.origin.node,
      op: value.kind === "op" ? value.op : value.kind,
      shape: value.shape,
      format: formatText(format),
      codes: [String(lo), String(hi)],
    };
  });
}
