import { getValue, type ValueId } from "../../../ir/index.ts";
import type { Stream } from "../network-builder.ts";
import type { RegionUnit } from "../units.ts";
import type { Context } from "./context.ts";
import { lanePipeline } from "./lane-pipeline.ts";

/** A value's codes as vectors of some length in beats of some lanes. */
export function takeValue(context: Context, id: ValueId, vector: number, lanes: number): Stream {
  return context.net.convert(plainValue(context, id), vector, lanes);
}

/** A value's codes as they come. */
export function plainValue(context: Context, id: ValueId): Stream {
  const source = context.source(id);
  if (source.twos === undefined) return source.stream;
  const value = getValue(context.graph, id);
  const unit: RegionUnit = { kind: "region", members: [], inputs: [id], outputs: [id] };
  context.net.from(value.origin);
  return lanePipeline(context, unit, new Map([[id, source]]))[0];
}
