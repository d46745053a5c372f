import { formatText } from "../fixed/index.ts";
import {
  type Graph,
  getValue,
  type OpValue,
  type Origin,
  type Value,
  type ValueId,
} from "./graph.ts";

/**
 * A recurrent layer in a graph in which it is unrolled: steps that do the same to their row of a sequence and to what
 * the step before left. Members have a number that is the same for the same thing in each step, their role.
 */
export interface Loop {
  readonly name: string;
  readonly steps: number;
  /** The `state` of each step, by port. */
  readonly states: readonly (readonly OpValue[])[];
  /** Members of each step by their roles. Those that only the last step lacks are there too. */
  readonly members: readonly ReadonlyMap<number, OpValue>[];
  /** Rows of sequences that the first step reads: the `slice`, whose argument is the sequence. */
  readonly rows: ReadonlyMap<ValueId, OpValue>;
}

/** A graph has states of this name that do not make a loop of equal steps. */
export interface BrokenLoop {
  readonly name: string;
  readonly steps: number;
  readonly origin: Origin;
  readonly why: string;
}

export function isBroken(loop: Loop | BrokenLoop): loop is BrokenLoop {
  return "why" in loop;
}

/** All loops of a graph, whether quantized or not; where it is, steps are alike only if their formats and intervals are. */
export function findLoops(graph: Graph): readonly (Loop | BrokenLoop)[] {
  const named = new Map<string, OpValue[]>();
  for (const value of graph.values.values()) {
    if (value.kind !== "op" || value.op !== "state") continue;
    const name = String(value.attrs["loop"]);
    const list = named.get(name);
    if (list === undefined) named.set(name, [value]);
    else list.push(value);
  }
  if (named.size === 0) return [];
  const contents = new Contents();
  return [...named].map(([name, states]) => loopOf(graph, name, states, contents));
}

function loopOf(
  graph: Graph,
  name: string,
  values: readonly OpValue[],
  contents: Contents,
): Loop | BrokenLoop {
  const steps = 1 + Math.max(...values.map(({ attrs }) => Number(attrs["step"])));
  const states = Array.from({ length: steps }, () => [] as OpValue[]);
  for (const value of values) {
    const { step, port } = value.attrs;
    states[Number(step)][Number(port)] = value;
  }
  const ports = states[0].length;
  const isWhole =
    values.length === steps * ports &&
    states.every((own) => own.length === ports && own.every((value) => value !== undefined));
  const { origin } = values[0];
  if (!isWhole || steps < 2) return { name, steps, origin, why: "it lacks states" };

  const members = states.map(() => new Map<number, OpValue>());
  const rows = new Map<ValueId, OpValue>();
  /** The step that a value belongs to; `shared` where it needs several. */
  const stepOf = new Map<ValueId, number>();
  const roles = new Map<ValueId, number>();
  const numbers = new Map<string, number>();
  const numberOf = (text: string) => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, numbers.size);
    return numbers.size - 1;
  };
  const roleOf = (id: ValueId): number => {
    const known = roles.get(id);
    if (known !== undefined) return known;
    const value = getValue(graph, id);
    return numberOf(value.kind === "const" ? `const ${contents.number(value)}` : `outside ${id}`);
  };
  for (const value of graph.values.values()) {
    if (value.kind !== "op") continue;
    const { id, op, args, attrs, shape } = value;
    if (op === "state" && attrs["loop"] === name) {
      stepOf.set(id, Number(attrs["step"]));
      roles.set(id, numberOf(`state ${attrs["port"]} ${contents.quantText(value)}`));
      continue;
    }
    const row = rowOf(graph, value, steps);
    if (row !== undefined && !((stepOf.get(args[0]) ?? shared) >= 0)) {
      stepOf.set(id, row);
      roles.set(id, numberOf(`row ${args[0]} ${contents.quantText(value)}`));
      if (row === 0) rows.set(id, value);
      continue;
    }
    const needed = new Set(args.flatMap((arg) => stepOf.get(arg) ?? []));
    if (needed.size === 0) continue;
    const [step] = needed.size === 1 ? needed : [shared];
    stepOf.set(id, step);
    if (step === shared) continue;
    const parts = [op, JSON.stringify(attrs), shape.join(), args.map(roleOf).join()];
    const role = numberOf([...parts, contents.quantText(value)].join(" "));
    roles.set(id, role);
    // The same thing twice in one step is one thing.
    if (!members[step].has(role)) members[step].set(role, value);
  }
  const inFirst = new Set([...stepOf].flatMap(([id, step]) => (step === 0 ? roles.get(id) : [])));
  // What some step but the last does and another does not belongs to none of them.
  for (const role of [...members[0].keys()])
    if (members.some((own, step) => step < steps - 1 && !own.has(role))) members[0].delete(role);
  for (const own of members.slice(1))
    for (const role of [...own.keys()]) if (!members[0].has(role)) own.delete(role);
  for (let port = 0; port < ports; port++) {
    const all = states.slice(1).map((own) => own[port].args[0]);
    const role = roles.get(all[0]);
    const areAlike = all.every(
      (id, step) => role !== undefined && members[step].get(role)?.id === id,
    );
    if (areAlike) continue;
    const odd = all.findIndex((id) => roles.get(id) !== role);
    if (odd < 0) return { name, steps, origin, why: "its steps are not alike" };
    const isAlike = (id: ValueId) => inFirst.has(roles.get(id)) || stepOf.get(id) !== odd;
    return { name, steps, origin, why: unlike(graph, all[odd], odd, isAlike) };
  }
  return { name, steps, states, members, rows };
}

const shared = -1;

/** What a step does otherwise than the first: the earliest value on the way to the next state. */
function unlike(
  graph: Graph,
  next: ValueId,
  step: number,
  isAlike: (id: ValueId) => boolean,
): string {
  let at = next;
  for (;;) {
    const value = getValue(graph, at);
    const before = value.kind === "op" ? value.args.find((id) => !isAlike(id)) : undefined;
    if (before !== undefined) {
      at = before;
      continue;
    }
    const format = value.quant === undefined ? "" : ` in ${formatText(value.quant.format)}`;
    const what = value.kind === "op" ? `${value.op} ${at}${format}` : at;
    return `its steps are not alike: the first has nothing like ${what} of step ${step}`;
  }
}

/** The place of a row in a sequence of so many; nothing where a value is none. */
function rowOf(graph: Graph, { op, args, attrs }: OpValue, steps: number): number | undefined {
  if (op !== "slice") return undefined;
  const { shape } = getValue(graph, args[0]);
  const counts = attrs["counts"] as readonly number[];
  const isRow = counts.every((count, axis) => count === (axis === 0 ? 1 : shape[axis]));
  return shape[0] === steps && isRow ? (attrs["starts"] as readonly number[])[0] : undefined;
}

/** Numbers for what constants hold, and texts for how values are quantized. */
class Contents {
  readonly #constants = new Map<string, { readonly data: Float64Array; number: number }[]>();
  readonly #ranges = new Map<string, number>();
  #count = 0;

  number(value: Extract<Value, { kind: "const" }>): string {
    const { data } = value.data;
    let hash = 0;
    for (const code of data) hash = (Math.imul(hash, 31) + Math.round(code * 4096)) | 0;
    const key = `${value.shape.join()} ${value.exact} ${value.dtype} ${hash}`;
    const list = this.#constants.get(key) ?? [];
    this.#constants.set(key, list);
    let known = list.find((one) => one.data.every((code, i) => code === data[i]));
    if (known === undefined) {
      known = { data, number: this.#count++ };
      list.push(known);
    }
    return `${known.number} ${this.quantText(value)}`;
  }

  quantText({ quant }: Value): string {
    if (quant === undefined) return "";
    const { format, ranges } = quant;
    const { lo, hi } = ranges.numbers() ?? {};
    const bounds =
      lo !== undefined && hi !== undefined
        ? `${lo.join()};${hi.join()}`
        : Array.from({ length: ranges.period }, (_, i) => `${ranges.lo(i)},${ranges.hi(i)}`).join();
    const number = this.#ranges.get(bounds) ?? this.#ranges.size;
    this.#ranges.set(bounds, number);
    return `${formatText(format)}#${number}`;
  }
}
