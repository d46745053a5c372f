import { type Graph, getValue, type OpValue, quantOf, type ValueId } from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import type { EngineLayer } from "./engine-layer.ts";
import type { EngineUnit, Unit } from "./units.ts";

/** Products with the same weights that one engine makes, one after the other, in the graph's order. */
export interface EngineGroup {
  readonly members: readonly EngineUnit[];
}

/**
 * Products with equal weights of which each needs the result of the one before: the steps of a recurrent
 * layer. One engine does all of them in the time that the engines of all steps would need one after the
 * other; inferences cannot overlap in it.
 */
export function recurrentGroups(graph: Graph, units: ReadonlyMap<ValueId, Unit>): EngineGroup[] {
  const byWeights = new Map<string, EngineUnit[]>();
  for (const unit of new Set(units.values())) {
    if (unit.kind !== "engine" || unit.layer.window !== undefined) continue;
    const key = keyOf(graph, unit);
    const same = byWeights.get(key) ?? [];
    byWeights.set(key, same);
    same.push(unit);
  }
  const place = new Map([...graph.values.keys()].map((id, at) => [id, at]));
  const order = (unit: EngineUnit) => place.get(unit.value.id) ?? 0;
  return [...byWeights.values()]
    .flatMap((units) => equalOnes(graph, units))
    .filter((members) => members.length > 1)
    .map((members) => ({ members: members.sort((a, b) => order(a) - order(b)) }))
    .filter(({ members }) => isChain(graph, members));
}

/** The same units, but that those of a group are one, with the work of all. */
export function shareEngines(
  units: ReadonlyMap<ValueId, Unit>,
  groups: readonly EngineGroup[],
): ReadonlyMap<ValueId, Unit> {
  const shared = new Map(units);
  for (const { members } of groups) {
    const [first] = members;
    const layer: EngineLayer = {
      ...first.layer,
      vectors: members.reduce((sum, { layer }) => sum + layer.vectors, 0),
      rows: [1], // they come one by one
      accBits: Math.max(...members.map(({ layer }) => layer.accBits)),
    };
    const unit: EngineUnit = { ...first, layer, shares: members.map(({ value }) => value) };
    for (const { value } of members) shared.set(value.id, unit);
  }
  return shared;
}

/** What must be equal, short of the weights themselves. */
function keyOf(graph: Graph, { layer, value }: EngineUnit): string {
  const { k, n, wBits, xBits, xSigned } = layer;
  const [x, w, b] = value.args.map((id) => quantOf(getValue(graph, id)).format);
  return [k, n, wBits, xBits, xSigned, x.frac, w.frac, b?.frac, value.origin.node].join();
}

/** Units parted by their weights. */
function equalOnes(graph: Graph, units: readonly EngineUnit[]): EngineUnit[][] {
  const groups: EngineUnit[][] = [];
  for (const unit of units) {
    const group = groups.find(([first]) => haveEqualWeights(graph, first.value, unit.value));
    if (group === undefined) groups.push([unit]);
    else group.push(unit);
  }
  return groups;
}

function haveEqualWeights(graph: Graph, a: OpValue, b: OpValue): boolean {
  if (a.args.length !== b.args.length) return false;
  return a.args.slice(1).every((id, at) => {
    const [left, right] = [getValue(graph, id), getValue(graph, b.args[at + 1])];
    if (left.kind !== "const" || right.kind !== "const") return false;
    if (left === right) return true;
    const size = sizeOf(left.shape);
    if (size !== sizeOf(right.shape)) return false;
    for (let i = 0; i < size; i++) if (left.data.data[i] !== right.data.data[i]) return false;
    return true;
  });
}

/** Whether each member needs the one before. */
function isChain(graph: Graph, members: readonly EngineUnit[]): boolean {
  const rank = new Map(members.map(({ value }, at) => [value.id, at]));
  // The last member that each value needs, itself included.
  const last = new Map<ValueId, number>();
  for (const value of graph.values.values()) {
    if (value.kind !== "op") continue;
    let needed = -1;
    for (const id of value.args) needed = Math.max(needed, last.get(id) ?? -1);
    const own = rank.get(value.id);
    if (own !== undefined && needed !== own - 1) return false;
    last.set(value.id, own ?? needed);
  }
  return true;
}
