import { assert } from "../../../base/index.ts";
import { getValue, type ValueId } from "../../../ir/index.ts";
import type { Stream } from "../network-builder.ts";
import { NotLocal } from "../region.ts";
import type { RegionUnit } from "../units.ts";
import { type Context, refuse, type Source } from "./context.ts";
import { lanePipeline } from "./lane-pipeline.ts";

export function lowerRegion(context: Context, unit: RegionUnit): void {
  const sources = new Map(unit.inputs.map((id) => [id, context.source(id)]));
  if (unit.members.every(({ kernel }) => kernel.kind === "gather") && unit.inputs.length === 1) {
    const [input] = unit.inputs;
    const { stream, twos } = sources.get(input) as Source;
    assert(unit.outputs.length === 1 || twos === undefined, "a reshape has one result");
    const plain = twos === undefined ? stream : unshifted(context, input, sources);
    aliasStream(context, unit, plain);
    return;
  }
  const first = unit.members[0].value;
  context.net.from(first.origin);
  try {
    const streams = lanePipeline(context, unit, sources);
    unit.outputs.forEach((id, at) => {
      context.provide(id, streams[at]);
    });
  } catch (error) {
    if (!(error instanceof NotLocal)) throw error;
    refuse(first, error.message);
  }
}

/** Reshapes alone: the same beats under other names. */
function aliasStream(context: Context, unit: RegionUnit, stream: Stream): void {
  const total = unit.outputs.reduce((sum, id) => sum + (context.readers.get(id) ?? 0), 0);
  const branches = context.net.fork(stream, total);
  for (const id of unit.outputs) {
    const own = branches.splice(0, context.readers.get(id) ?? 0);
    context.sources.set(
      id,
      own.map((branch) => ({ stream: branch })),
    );
  }
}

function unshifted(context: Context, id: ValueId, sources: ReadonlyMap<ValueId, Source>): Stream {
  const unit: RegionUnit = { kind: "region", members: [], inputs: [id], outputs: [id] };
  context.net.from(getValue(context.graph, id).origin);
  return lanePipeline(context, unit, sources)[0];
}
