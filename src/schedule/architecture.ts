import { type Graph, getValue } from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";
import type { ScheduleOptions } from "./schedule.ts";

/** Products that `auto` still unrolls. */
const unrolledProducts = 100_000;
const windows = new Set(["conv", "max_pool", "sum_pool"]);

/**
 * The architecture asked for; for `auto`, streams where there are convolutions or pools or too many products
 * to unroll, and unrolled logic elsewhere.
 */
export function chooseArchitecture(
  graph: Graph,
  { architecture, reuse }: ScheduleOptions,
): "parallel" | "stream" {
  if (architecture === "parallel" || architecture === "stream") return architecture;
  let products = 0;
  for (const value of graph.values.values()) {
    if (value.kind !== "op") continue;
    if (windows.has(value.op)) return "stream";
    if (value.op !== "matmul") continue;
    products += sizeOf(value.shape) * (getValue(graph, value.args[0]).shape.at(-1) ?? 1);
  }
  return reuse === 1 && products > unrolledProducts ? "stream" : "parallel";
}
