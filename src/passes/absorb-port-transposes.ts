import {
  type Graph,
  getValue,
  type OpValue,
  Ranges,
  usersOf,
  type Value,
  type ValueId,
} from "../ir/index.ts";
import { sizeOf, stridesOf } from "../tensor/index.ts";

/** A graph without the transposes at its ends, and the order in which packets then have their elements. */
export interface AbsorbedGraph {
  readonly graph: Graph;
  /** Axes of the user's tensor, outermost first, by the input's or output's name. */
  readonly orders: ReadonlyMap<string, readonly number[]>;
}

/**
 * Lets the host do what transposes right behind an input or before an output do: it puts the numbers of a
 * packet in that order while it converts them.
 *
 *     x [1,3,32,32] -> transpose [0,2,3,1] -> y        becomes    x [1,32,32,3] -> y, x in the order 0,2,3,1
 */
export function absorbPortTransposes(graph: Graph): AbsorbedGraph {
  const users = usersOf(graph);
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  const orders = new Map<string, readonly number[]>();
  const values = new Map<ValueId, Value>();
  const stands = new Map<ValueId, ValueId>();
  const found = (id: ValueId) => stands.get(id) ?? id;
  for (const value of graph.values.values()) {
    if (value.kind === "input") {
      const perm = commonOrder(users.get(value.id) ?? [], outputs.has(value.id));
      if (perm === undefined) {
        values.set(value.id, value);
        continue;
      }
      orders.set(value.id, perm);
      values.set(value.id, permuted(value, perm));
      for (const user of users.get(value.id) ?? []) stands.set(user.id, value.id);
      continue;
    }
    if (stands.has(value.id)) continue;
    values.set(value.id, value.kind === "op" ? { ...value, args: value.args.map(found) } : value);
  }
  const ends = graph.outputs.map(({ name, value: id }) => {
    const value = getValue(graph, id);
    if (stands.has(id) || value.kind !== "op" || value.op !== "transpose")
      return { name, value: found(id) };
    const perm = value.attrs["perm"] as readonly number[];
    orders.set(name, inverse(perm));
    return { name, value: found(value.args[0]) };
  });
  if (orders.size === 0) return { graph, orders };
  const kept = new Set(ends.map(({ value }) => value));
  const list = [...values.values()];
  for (const value of list.reverse())
    if (value.kind === "op" && kept.has(value.id)) for (const id of value.args) kept.add(id);
  const live = list
    .reverse()
    .filter((value) => value.kind === "input" || kept.has(value.id))
    .map((value): [ValueId, Value] => [value.id, value]);
  return { graph: { ...graph, values: new Map(live), outputs: ends }, orders };
}

/** The transpose that all readers of an input are. */
function commonOrder(users: readonly OpValue[], isOutput: boolean): readonly number[] | undefined {
  if (isOutput || users.length === 0) return undefined;
  const perms = users.map((user) =>
    user.op === "transpose" ? (user.attrs["perm"] as readonly number[]) : undefined,
  );
  const [first] = perms;
  if (first === undefined) return undefined;
  return perms.every((perm) => perm?.every((axis, i) => axis === first[i])) ? first : undefined;
}

function inverse(perm: readonly number[]): number[] {
  const result = new Array<number>(perm.length);
  perm.forEach((axis, i) => {
    result[axis] = i;
  });
  return result;
}

function permuted(value: Value, perm: readonly number[]): Value {
  const shape = perm.map((axis) => value.shape[axis]);
  const { quant } = value;
  if (quant === undefined || quant.ranges.isUniform) return { ...value, shape };
  const strides = stridesOf(value.shape);
  const own = stridesOf(shape);
  const from = (i: number) =>
    perm.reduce((sum, axis, at) => sum + (Math.floor(i / own[at]) % shape[at]) * strides[axis], 0);
  const ranges = Ranges.each(sizeOf(shape), (i) => [
    quant.ranges.lo(from(i)),
    quant.ranges.hi(from(i)),
  ]);
  return { ...value, shape, quant: { ...quant, ranges } };
}
