import {
  findLoops,
  foldCodes,
  type Graph,
  getValue,
  isBroken,
  type Loop,
  type OpValue,
  type Origin,
  type Registry,
  type Value,
  type ValueId,
} from "../../ir/index.ts";

/** A recurrent layer whose steps are made one after the other by the same hardware. */
export interface RolledLoop {
  readonly name: string;
  readonly origin: Origin;
  readonly steps: number;
  /** One step: its inputs are rows and states, its outputs what is needed of it. */
  readonly body: Graph;
  /** Inputs of the body that are rows of a sequence, and the sequence. */
  readonly rows: ReadonlyMap<ValueId, ValueId>;
  /** Inputs of the body that are states: the initial one, and the body's value that comes back. */
  readonly states: ReadonlyMap<ValueId, { readonly initial: Value; readonly next: ValueId }>;
  readonly results: readonly LoopResult[];
}

/** What the rest of the network reads of a loop. */
export interface LoopResult {
  /** Its name in the rolled graph. */
  readonly id: ValueId;
  /** The body's value. */
  readonly of: ValueId;
  /** Only of this step; absent: of all of them, one after the other. */
  readonly step?: number;
}

/** A graph in which loops are single operators, named `loop`, one for each of their results. */
export interface RolledGraph {
  readonly graph: Graph;
  /** By their results. */
  readonly loops: ReadonlyMap<ValueId, RolledLoop>;
  readonly kept: readonly KeptLoop[];
}

/** A loop whose steps stay as they are. */
export interface KeptLoop {
  readonly name: string;
  readonly origin: Origin;
  readonly steps: number;
  /** Why they cannot be made by one copy; absent: it was not wanted. */
  readonly why?: string;
}

/** Most steps of which a result alone is read by somebody. */
const mostPicks = 4;

/**
 * Puts one copy in the place of the steps of each loop; those that are not alike stay as they are.
 *
 * @param isWanted whether it is to be done with the loop that begins with a state
 */
export function rollLoops(
  graph: Graph,
  ops: Registry,
  isWanted: (state: OpValue) => boolean,
): RolledGraph {
  const found = findLoops(graph);
  const rolled: RolledLoop[] = [];
  const kept: KeptLoop[] = [];
  for (const loop of found) {
    const { name, steps } = loop;
    if (isBroken(loop)) {
      kept.push(loop);
      continue;
    }
    const [first] = loop.states[0];
    const { origin } = first;
    const result = rollLoop(graph, loop);
    if (typeof result === "string") kept.push({ name, steps, origin, why: result });
    else if (isWanted(first)) rolled.push(result);
    else kept.push({ name, steps, origin });
  }
  const loops = new Map<ValueId, RolledLoop>();
  for (const loop of rolled) for (const { id } of loop.results) loops.set(id, loop);
  const values = new Map<ValueId, Value>();
  for (const value of graph.values.values()) {
    const loop = loops.get(value.id);
    values.set(value.id, loop === undefined ? value : loopValue(value as OpValue, loop));
  }
  // Steps that stay as they are may begin with a constant.
  const left = { ...graph, values };
  return { graph: kept.length === 0 ? left : foldCodes(left, ops), loops, kept };
}

/** What a loop reads of the network. */
export function argsOf({ rows, states }: RolledLoop): ValueId[] {
  const initial = [...states.values()].flatMap((state) =>
    state.initial.kind === "const" ? [] : [state.initial.id],
  );
  return [...rows.values(), ...initial];
}

function loopValue(value: OpValue, loop: RolledLoop): OpValue {
  return { ...value, op: "loop", attrs: { loop: loop.name }, args: argsOf(loop) };
}

/** One copy for all steps, or why there cannot be one. */
function rollLoop(graph: Graph, loop: Loop): RolledLoop | string {
  const { name, steps, states, members } = loop;
  /** The step and the role of each member, and whether it depends on a state. */
  const places = new Map<ValueId, { readonly step: number; readonly role: number }>();
  const stateful = new Set(states.flatMap((own) => own.map(({ id }) => id)));
  members.forEach((own, step) => {
    for (const [role, { id, args }] of own) {
      places.set(id, { step, role });
      if (args.some((arg) => stateful.has(arg))) stateful.add(id);
    }
  });
  const results = resultsOf(graph, loop, (id) => (stateful.has(id) ? places.get(id) : undefined));
  if (results === undefined) return `more than ${mostPicks} of its steps are read by themselves`;

  const needed = new Set<ValueId>();
  const ports = new Map<ValueId, number>(states[0].map(({ id }, port) => [id, port]));
  const rows = new Map<ValueId, ValueId>();
  const used = new Map<ValueId, { initial: Value; next: ValueId }>();
  const need = (id: ValueId): boolean => {
    if (needed.has(id)) return true;
    needed.add(id);
    const value = getValue(graph, id);
    if (value.kind === "const") return true;
    const port = ports.get(id);
    if (port !== undefined) {
      const next = states[1][port].args[0];
      used.set(id, { initial: getValue(graph, states[0][port].args[0]), next });
      return need(next);
    }
    const row = loop.rows.get(id);
    if (row !== undefined) {
      rows.set(id, row.args[0]);
      return true;
    }
    const isMember = places.get(id)?.step === 0;
    return isMember && value.kind === "op" && value.args.every(need);
  };
  if (!results.every(({ of }) => need(of))) return "a step needs more than its row and the state";

  const values = new Map<ValueId, Value>();
  for (const value of graph.values.values()) {
    if (!needed.has(value.id)) continue;
    const isInput = ports.has(value.id) || loop.rows.has(value.id);
    const { id, shape, dtype, origin, quant } = value;
    values.set(
      id,
      isInput ? { kind: "input", id, shape, dtype, origin, ...(quant && { quant }) } : value,
    );
  }
  const ends = [...results.map(({ of }) => of), ...[...used.values()].map(({ next }) => next)];
  const outputs = ends.map((value) => ({ name: value, value }));
  const { origin } = states[0][0];
  return { name, origin, steps, body: { name, values, outputs }, rows, states: used, results };
}

/** What is read of a loop; nothing where somebody wants more than all steps or a few. */
function resultsOf(
  graph: Graph,
  { name, steps, members }: Loop,
  placeOf: (id: ValueId) => { readonly step: number; readonly role: number } | undefined,
): LoopResult[] | undefined {
  const results = new Map<ValueId, LoopResult>();
  const of = (role: number) => (members[0].get(role) as OpValue).id;
  const pick = (id: ValueId) => {
    const place = placeOf(id);
    if (place === undefined) return;
    results.set(id, { id, of: of(place.role), step: place.step });
  };
  for (const value of graph.values.values()) {
    if (value.kind !== "op" || placeOf(value.id) !== undefined) continue;
    if (value.op === "state" && value.attrs["loop"] === name) continue;
    const first = placeOf(value.args[0]);
    const isAll =
      value.op === "concat" &&
      value.attrs["axis"] === 0 &&
      first !== undefined &&
      value.args.length === steps &&
      value.args.every((arg, step) => {
        const place = placeOf(arg);
        return place?.role === first.role && place.step === step;
      });
    if (isAll) results.set(value.id, { id: value.id, of: of(first.role) });
    else value.args.forEach(pick);
  }
  for (const { value } of graph.outputs) pick(value);
  const all = [...results.values()];
  return all.filter(({ step }) => step !== undefined).length > mostPicks ? undefined : all;
}
