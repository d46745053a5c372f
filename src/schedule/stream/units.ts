import {
  type Graph,
  getValue,
  type Kernel,
  type OpValue,
  primitiveOf,
  quantArgs,
  quantOf,
  type Registry,
  usersOf,
  type ValueId,
} from "../../ir/index.ts";
import { type Shape, sizeOf } from "../../tensor/index.ts";
import { type EngineLayer, engineLayer } from "./engine-layer.ts";
import { argsOf, type RolledLoop } from "./loops.ts";

/**
 * What becomes of the graph's operators: each is a unit by itself, or belongs to a region of operators that
 * work on the lanes of a beat and become one pipeline.
 */
export type Unit = EngineUnit | ModuleUnit | RegionUnit | LoopUnit;

export interface EngineUnit {
  readonly kind: "engine";
  readonly value: OpValue;
  readonly layer: EngineLayer;
}

/** An operator with a module of its own: pooling, reductions, other orders of elements, products of streams. */
export interface ModuleUnit {
  readonly kind: "module";
  readonly value: OpValue;
}

export interface RegionUnit {
  readonly kind: "region";
  /** In the graph's order. */
  readonly members: readonly RegionMember[];
  /** Values from elsewhere that it reads, constants left out. */
  readonly inputs: readonly ValueId[];
  /** Values that are read elsewhere. */
  readonly outputs: readonly ValueId[];
  /** The shape of a part, where values are cut into interleaved parts: a beat has whole groups of them. */
  readonly part?: Shape;
}

export interface RegionMember {
  readonly value: OpValue;
  readonly kernel: Kernel;
}

/** A recurrent layer, whose steps one copy of the units of its body makes. */
export interface LoopUnit {
  readonly kind: "loop";
  readonly loop: RolledLoop;
  /** One of its results. */
  readonly value: OpValue;
  readonly units: ReadonlyMap<ValueId, Unit>;
}

/** The longest row that is reduced within one beat. */
export const rowLimit = 64;

/** Splits a graph into units, by the value that they make. Values that no output needs have none. */
export function planUnits(
  graph: Graph,
  ops: Registry,
  loops: ReadonlyMap<ValueId, RolledLoop> = new Map(),
): ReadonlyMap<ValueId, Unit> {
  // Interleaved parts are cut by wires, unless what they meet lies otherwise.
  const buffered = new Set<ValueId>();
  for (;;) {
    const units = planWith(graph, ops, loops, buffered);
    const before = buffered.size;
    for (const unit of units.values())
      if (unit.kind === "region" && unit.part !== undefined && !isByParts(graph, unit, unit.part))
        for (const { value, kernel } of unit.members)
          if (isInterleaved(graph, value, kernel)) buffered.add(value.id);
    if (buffered.size === before) return units;
  }
}

/** @param buffered slices that are modules, although they are interleaved parts */
function planWith(
  graph: Graph,
  ops: Registry,
  loops: ReadonlyMap<ValueId, RolledLoop>,
  buffered: ReadonlySet<ValueId>,
): ReadonlyMap<ValueId, Unit> {
  const live = liveValues(graph);
  const units = new Map<ValueId, Unit>();
  const local = new Map<ValueId, RegionMember>();
  // Modules on the longest way from an input: operators on lanes share a region only on the same level, so
  // that no way leaves a region and comes back.
  const level = new Map<ValueId, number>();
  const region = new Regions();
  for (const value of graph.values.values()) {
    if (value.kind !== "op" || !live.has(value.id)) continue;
    const varying = value.args.filter((id) => getValue(graph, id).kind !== "const");
    const below = varying.reduce((top, id) => Math.max(top, level.get(id) ?? 0), 0);
    const loop = loops.get(value.id);
    if (loop !== undefined) {
      const known = loop.results.map(({ id }) => units.get(id)).find((unit) => unit !== undefined);
      units.set(value.id, known ?? { kind: "loop", loop, value, units: bodyUnits(loop, ops) });
      level.set(value.id, below + 1);
      continue;
    }
    const layer = engineLayer(graph, ops, value);
    if (layer !== undefined) {
      units.set(value.id, { kind: "engine", value, layer });
      level.set(value.id, below + 1);
      continue;
    }
    const kernel = buffered.has(value.id) ? undefined : laneKernel(graph, ops, value);
    if (kernel === undefined) {
      units.set(value.id, { kind: "module", value });
      level.set(value.id, below + 1);
      continue;
    }
    level.set(value.id, below);
    local.set(value.id, { value, kernel });
    region.add(value.id);
  }
  sinkParts(graph, local, level, live);
  for (const [id, { value }] of local)
    for (const arg of value.args)
      if (local.has(arg) && level.get(arg) === level.get(id)) region.join(arg, id);
  joinParts(graph, local, level, region);
  const outside = new Set(graph.outputs.map((output) => output.value));
  for (const value of graph.values.values()) {
    if (value.kind !== "op" || !live.has(value.id)) continue;
    for (const id of value.args)
      if (!local.has(value.id) || region.find(id) !== region.find(value.id)) outside.add(id);
  }
  for (const ids of region.groups()) {
    const inside = new Set(ids);
    const members = ids.map((id) => local.get(id) as RegionMember);
    const inputs = new Set<ValueId>();
    for (const { value } of members) {
      for (const id of value.args)
        if (!inside.has(id) && getValue(graph, id).kind !== "const") inputs.add(id);
    }
    const outputs = ids.filter((id) => outside.has(id));
    const cut = members.find(({ value, kernel }) => isInterleaved(graph, value, kernel));
    const unit: RegionUnit = {
      ...{ kind: "region", members, inputs: [...inputs], outputs },
      ...(cut && { part: cut.value.shape }),
    };
    for (const id of ids) units.set(id, unit);
  }
  return units;
}

/** Parts are cut where they are needed, so that they come into one pipeline with what they meet. */
function sinkParts(
  graph: Graph,
  local: ReadonlyMap<ValueId, RegionMember>,
  level: Map<ValueId, number>,
  live: ReadonlySet<ValueId>,
): void {
  const users = usersOf(graph);
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  for (const [id, { value, kernel }] of local) {
    const own = (users.get(id) ?? []).filter((user) => live.has(user.id));
    const isRead = own.length > 0 && !outputs.has(id) && own.every((user) => local.has(user.id));
    if (!isRead || !isInterleaved(graph, value, kernel)) continue;
    level.set(id, Math.min(...own.map((user) => level.get(user.id) as number)));
  }
}

/** Parts of one value that are cut at the same place are cut by one pipeline. */
function joinParts(
  graph: Graph,
  local: ReadonlyMap<ValueId, RegionMember>,
  level: ReadonlyMap<ValueId, number>,
  region: Regions,
): void {
  const first = new Map<string, ValueId>();
  for (const [id, { value, kernel }] of local) {
    if (!isInterleaved(graph, value, kernel)) continue;
    const place = `${level.get(id)} ${value.args[0]}`;
    const other = first.get(place);
    if (other === undefined) first.set(place, id);
    else region.join(other, id);
  }
}

/** Whether a beat can have whole groups of a part's elements, of all values of a region. */
function isByParts(graph: Graph, { members, inputs, outputs }: RegionUnit, part: Shape): boolean {
  const size = sizeOf(part);
  const isConst = (id: ValueId) => getValue(graph, id).kind === "const";
  const isLocal = ({ value, kernel }: RegionMember) => {
    if (kernel.kind === "reduce") return false;
    if (kernel.kind !== "binary") return true;
    return [kernel.a, kernel.b].every(
      ({ arg, index }) => index === undefined || isConst(value.args[arg]),
    );
  };
  const all = [...inputs, ...outputs, ...members.map(({ value }) => value.id)];
  return (
    all.every((id) => sizeOf(getValue(graph, id).shape) % size === 0) && members.every(isLocal)
  );
}

/** The units of one step; their layers count the work of all steps. */
function bodyUnits({ body, steps }: RolledLoop, ops: Registry): ReadonlyMap<ValueId, Unit> {
  const units = planUnits(body, ops);
  return new Map(
    [...units].map(([id, unit]): [ValueId, Unit] => {
      if (unit.kind !== "engine") return [id, unit];
      const layer = {
        ...unit.layer,
        vectors: unit.layer.vectors * steps,
        rows: [1],
        rounds: steps,
      };
      return [id, { ...unit, layer }];
    }),
  );
}

/** All units, those of the bodies of loops too. */
export function allUnits(units: ReadonlyMap<ValueId, Unit>): Unit[] {
  return [...new Set(units.values())].flatMap((unit) =>
    unit.kind === "loop" ? [unit, ...allUnits(unit.units)] : [unit],
  );
}

/** The values that a unit reads, constants among them; as often as it does. */
export function readsOf(unit: Unit): readonly ValueId[] {
  switch (unit.kind) {
    case "region":
      return unit.inputs;
    case "engine":
      return [unit.value.args[0]];
    case "module":
      return unit.value.args;
    case "loop":
      return argsOf(unit.loop);
  }
}

function liveValues(graph: Graph): Set<ValueId> {
  const live = new Set(graph.outputs.map(({ value }) => value));
  for (const value of [...graph.values.values()].reverse())
    if (value.kind === "op" && live.has(value.id)) for (const id of value.args) live.add(id);
  return live;
}

/** Operators whose kernels are never read here: their index maps would be large. */
const modules = new Set(["conv", "max_pool", "sum_pool", "pad"]);

/** The kernel of an operator that can work on the lanes of a beat. */
function laneKernel(graph: Graph, ops: Registry, value: OpValue): Kernel | undefined {
  if (modules.has(value.op)) return undefined;
  const kernel = kernelOf(graph, ops, value);
  switch (kernel.kind) {
    case "gather":
      return isPlain(graph, value, kernel) || isInterleaved(graph, value, kernel)
        ? kernel
        : undefined;
    case "reduce":
      return kernel.inner === 1 && kernel.length <= rowLimit && kernel.windows === undefined
        ? kernel
        : undefined;
    case "matmul":
    case "sequence":
      return undefined;
    default:
      return kernel;
  }
}

export function kernelOf(graph: Graph, ops: Registry, value: OpValue): Kernel {
  const op = primitiveOf(ops, value.op);
  return op.kernel(quantArgs(graph, value), value.attrs, quantOf(value));
}

/** A mere reshape. */
function isPlain(
  graph: Graph,
  value: OpValue,
  kernel: Extract<Kernel, { kind: "gather" }>,
): boolean {
  if (kernel.source !== undefined) return false;
  const size = sizeOf(value.shape);
  if (sizeOf(getValue(graph, value.args[0]).shape) !== size) return false;
  return kernel.index === undefined || kernel.index.every((from, i) => from === i);
}

/** Parts of a value whose elements may come side by side in a beat. */
const mostParts = 8;

/** One of several parts along the last axis, whose elements take turns. */
function isInterleaved(graph: Graph, { args, shape, op }: OpValue, kernel: Kernel): boolean {
  if (op !== "slice" || kernel.kind !== "gather" || kernel.index === undefined) return false;
  const { index } = kernel;
  const from = getValue(graph, args[0]).shape;
  const parts = (from.at(-1) ?? 1) / (shape.at(-1) ?? 1);
  const first = index[0];
  const isCut = shape.at(-1) !== 1 && sizeOf(from) === parts * sizeOf(shape);
  const isNumber = Number.isInteger(parts) && parts > 1 && parts <= mostParts;
  return isCut && isNumber && first < parts && index.every((at, i) => at === first + i * parts);
}

/** Sets of values that are joined step by step. */
class Regions {
  readonly #parent = new Map<ValueId, ValueId>();

  add(id: ValueId): void {
    this.#parent.set(id, id);
  }

  find(id: ValueId): ValueId {
    let at = id;
    for (;;) {
      const next = this.#parent.get(at);
      if (next === undefined || next === at) return at;
      at = next;
    }
  }

  join(a: ValueId, b: ValueId): void {
    this.#parent.set(this.find(b), this.find(a));
  }

  groups(): ValueId[][] {
    const groups = new Map<ValueId, ValueId[]>();
    for (const id of this.#parent.keys()) {
      const root = this.find(id);
      const group = groups.get(root);
      if (group === undefined) groups.set(root, [id]);
      else group.push(id);
    }
    return [...groups.values()];
  }
}
