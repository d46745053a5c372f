import { findLoops, type Graph, isBroken, type ValueId } from "../ir/index.ts";
import type { Statistics, ValueStatistics } from "./statistics.ts";

/** Numbers that are kept of the steps of a loop together. */
const keep = 1 << 15;

/**
 * Statistics in which what plays the same part in each step of a recurrent layer was seen together: so that it has one
 * format in all of them.
 */
export function tieSteps(graph: Graph, statistics: Statistics): Statistics {
  const tied = new Map(statistics);
  const tie = (ids: readonly ValueId[]) => {
    const seen = ids.flatMap((id) => statistics.get(id) ?? []);
    if (seen.length < 2) return;
    const all = merge(seen);
    for (const id of ids) tied.set(id, all);
  };
  for (const loop of findLoops(graph)) {
    if (isBroken(loop)) continue;
    loop.states[0].forEach((_, port) => {
      tie(loop.states.map((own) => own[port].id));
    });
    for (const role of loop.members[0].keys())
      tie(loop.members.flatMap((own) => own.get(role)?.id ?? []));
  }
  return tied;
}

function merge(seen: readonly ValueStatistics[]): ValueStatistics {
  const part = Math.ceil(keep / seen.length);
  return {
    min: seen.reduce((least, { min }) => Math.min(least, min), Number.POSITIVE_INFINITY),
    max: seen.reduce((most, { max }) => Math.max(most, max), Number.NEGATIVE_INFINITY),
    sample: Float64Array.from(seen.flatMap(({ sample }) => Array.from(sample.subarray(0, part)))),
  };
}
