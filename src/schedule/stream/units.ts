import {
  type Graph,
  getValue,
  type Kernel,
  type OpValue,
  primitiveOf,
  quantArgs,
  quantOf,
  type Registry,
  type ValueId,
} from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
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
    const kernel = laneKernel(graph, ops, value);
    if (kernel === undefined) {
      units.set(value.id, { kind: "module", value });
      level.set(value.id, below + 1);
      continue;
    }
    level.set(value.id, below);
    local.set(value.id, { value, kernel });
    region.add(value.id);
    for (const id of varying)
      if (local.has(id) && level.get(id) === below) region.join(id, value.id);
  }
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
    const unit: RegionUnit = { kind: "region", members, inputs: [...inputs], outputs };
    for (const id of ids) units.set(id, unit);
  }
  return units;
}

/** The units of one step; their layers count the work of all steps. */
function bodyUnits({ body, steps }: RolledLoop, ops: Registry): ReadonlyMap<ValueId, Unit> {
  const units = planUnits(body, ops);
  return new Map(
    [...units].map(([id, unit]): [ValueId, Unit] => {
      if (unit.kind !== "engine") return [id, unit];
      const layer = { ...unit.layer, vectors: unit.layer.vectors * steps, rows: [1] };
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
      return isPlain(graph, value, kernel) ? kernel : undefined;
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
