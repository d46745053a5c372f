import {
  type ConstValue,
  type Graph,
  getValue,
  type Kernel,
  type OpValue,
  type Quant,
  Ranges,
  type Registry,
  usersOf,
  type Value,
  type ValueId,
  valueId,
} from "../../ir/index.ts";
import { makeTensor, sizeOf } from "../../tensor/index.ts";
import { kernelOf } from "./units.ts";

/*
 * The gates of a recurrent cell are parts of one product, one behind the other: before the first unit's last gate is
 * there all columns have to be made, and each gate is cut out of a buffer. Weights are constants, so their columns can
 * stand in any order.
 *
 *     y = matmul(x, W)              y = matmul(x, W'), column u * 4 + g of W' being column g * n + u of W
 *     i = slice(y, 0, n)     ->     i = slice(y, from 0 in steps of 4)
 *     o = slice(y, n, n)            o = slice(y, from 1 in steps of 4)
 *
 * Then a unit's gates come side by side, and cutting them apart is wires.
 */

/** Parts of equal length along the last axis. */
interface Part {
  readonly parts: number;
  readonly which: number;
}

/** Lets the parts that matrix products are cut into leave side by side, wherever all that reads them works on single elements. */
export function interleaveParts(graph: Graph, ops: Registry): Graph {
  const users = usersOf(graph);
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  const view = new PartsView(graph, ops, users, outputs);
  /** Values whose columns stand in another order, and how many parts they have. */
  const turned = new Map<ValueId, number>();
  const seen = new Set<ValueId>();
  for (const value of graph.values.values()) {
    const part = partOf(graph, value);
    if (part === undefined || value.kind !== "op" || seen.has(value.args[0])) continue;
    const { group, isWhole } = view.groupOf(value.args[0], part.parts);
    for (const id of group) {
      seen.add(id);
      if (isWhole) turned.set(id, part.parts);
    }
  }
  return turned.size === 0 ? graph : turn(graph, view, turned);
}

/** The part of its argument that a slice is; nothing where it is none. */
function partOf(graph: Graph, value: Value): Part | undefined {
  if (value.kind !== "op" || value.op !== "slice") return undefined;
  const { shape } = getValue(graph, value.args[0]);
  const [starts, steps, counts] = boxOf(value);
  const last = shape.length - 1;
  const isPart = shape.every(
    (n, axis) => steps[axis] === 1 && (axis === last || (starts[axis] === 0 && counts[axis] === n)),
  );
  if (last < 0 || !isPart) return undefined;
  const length = counts[last];
  const isEven = shape[last] % length === 0 && starts[last] % length === 0;
  const parts = shape[last] / length;
  return isEven && parts > 1 && length > 1 ? { parts, which: starts[last] / length } : undefined;
}

function boxOf({ attrs }: OpValue): (readonly number[])[] {
  return ["starts", "steps", "counts"].map((name) => attrs[name] as readonly number[]);
}

const onElements: ReadonlySet<Kernel["kind"]> = new Set([
  "binary",
  "clamp",
  "requantize",
  "table",
] as const);

class PartsView {
  readonly graph: Graph;
  readonly #ops: Registry;
  readonly #users: ReadonlyMap<ValueId, readonly OpValue[]>;
  readonly #outputs: ReadonlySet<ValueId>;

  constructor(
    graph: Graph,
    ops: Registry,
    users: ReadonlyMap<ValueId, readonly OpValue[]>,
    outputs: ReadonlySet<ValueId>,
  ) {
    this.graph = graph;
    this.#ops = ops;
    this.#users = users;
    this.#outputs = outputs;
  }

  /** All values whose columns change places with those of one, and whether each of them can. */
  groupOf(
    first: ValueId,
    parts: number,
  ): { readonly group: ReadonlySet<ValueId>; readonly isWhole: boolean } {
    const group = new Set([first]);
    let isWhole = true;
    for (const id of group) {
      const value = getValue(this.graph, id);
      const args = value.kind === "op" ? this.argsTurnedBy(value) : undefined;
      if (args === undefined || this.#outputs.has(id)) {
        isWhole = false;
        continue;
      }
      for (const arg of args) if (getValue(this.graph, arg).kind !== "const") group.add(arg);
      for (const user of this.#users.get(id) ?? []) {
        const part = partOf(this.graph, user);
        if (part !== undefined) {
          if (part.parts !== parts || !this.#isForElements(user)) isWhole = false;
        } else if (this.argsTurnedBy(user)?.includes(id)) group.add(user.id);
        else isWhole = false;
      }
    }
    return { group, isWhole };
  }

  /** The arguments whose columns change places when those of the result do; nothing where they cannot. */
  argsTurnedBy(value: OpValue): readonly ValueId[] | undefined {
    const columns = value.shape.at(-1);
    const columnsOf = (id: ValueId) => getValue(this.graph, id).shape.at(-1);
    const [x, ...rest] = value.args;
    switch (value.op) {
      case "matmul": {
        const areConst = rest.every((id) => getValue(this.graph, id).kind === "const");
        return areConst && rest.every((id) => columnsOf(id) === columns) ? rest : undefined;
      }
      case "reshape":
        return columnsOf(x) === columns ? [x] : undefined;
      case "slice": {
        const { shape } = getValue(this.graph, x);
        const [starts, steps, counts] = boxOf(value).map((list) => list.at(-1));
        return starts === 0 && steps === 1 && counts === shape.at(-1) ? [x] : undefined;
      }
    }
    if (!onElements.has(this.#kindOf(value))) return undefined;
    const wide = value.args.filter((id) => columnsOf(id) === columns);
    const areOthersAlike = value.args.every(
      (id) => wide.includes(id) || (columnsOf(id) ?? 1) === 1,
    );
    return areOthersAlike ? wide : undefined;
  }

  /** Whether a part is read by what works on single elements, and by nothing else. */
  #isForElements({ id, shape }: OpValue): boolean {
    const users = this.#users.get(id) ?? [];
    const isFor = (user: OpValue) =>
      onElements.has(this.#kindOf(user)) && sizeOf(user.shape) === sizeOf(shape);
    return !this.#outputs.has(id) && users.length > 0 && users.every(isFor);
  }

  #kindOf(value: OpValue): Kernel["kind"] {
    // The index maps of what has an engine may be large.
    if (value.op === "conv" || value.op === "matmul") return "matmul";
    return kernelOf(this.graph, this.#ops, value).kind;
  }
}

/** The graph with the columns of some values, and of the constants that they are made of, unit by unit. */
function turn(graph: Graph, view: PartsView, turned: ReadonlyMap<ValueId, number>): Graph {
  const values = new Map<ValueId, Value>();
  for (const value of graph.values.values()) {
    if (value.kind !== "op") {
      values.set(value.id, value);
      continue;
    }
    const parts = turned.get(value.id);
    if (parts !== undefined) {
      const own = view.argsTurnedBy(value) ?? [];
      const args = value.args.map((id) => {
        const arg = getValue(graph, id);
        if (arg.kind !== "const" || !own.includes(id)) return id;
        const other = turnedConstant(graph, arg, parts);
        values.set(other.id, other);
        return other.id;
      });
      const columns = value.shape.at(-1) ?? 1;
      const { quant } = value;
      values.set(value.id, {
        ...value,
        args,
        ...(quant && { quant: turnedQuant(quant, value, parts, columns) }),
      });
      continue;
    }
    const part = partOf(graph, value);
    const isCut = part !== undefined && turned.has(value.args[0]);
    values.set(value.id, isCut ? interleaved(value, part) : value);
  }
  return { ...graph, values };
}

function interleaved(value: OpValue, { parts, which }: Part): OpValue {
  const [starts, steps, counts] = boxOf(value);
  const attrs = {
    starts: [...starts.slice(0, -1), which],
    steps: [...steps.slice(0, -1), parts],
    counts,
  };
  return { ...value, attrs };
}

/** The old place of each element. */
function oldPlace(i: number, parts: number, columns: number): number {
  const column = i % columns;
  return i - column + (column % parts) * (columns / parts) + Math.floor(column / parts);
}

function turnedConstant(graph: Graph, value: ConstValue, parts: number): ConstValue {
  const id = valueId(`${value.id}.unit_by_unit`);
  const { data, shape, quant } = value;
  if (graph.values.has(id)) throw new Error(`graph ${graph.name} has a value ${id} already`);
  const columns = shape.at(-1) ?? 1;
  const codes = data.data.map((_, i) => data.data[oldPlace(i, parts, columns)]);
  return {
    ...value,
    id,
    data: makeTensor(shape, codes, value.dtype),
    ...(quant && { quant: turnedQuant(quant, value, parts, columns) }),
  };
}

function turnedQuant(
  { format, ranges }: Quant,
  { shape }: Pick<Value, "shape">,
  parts: number,
  columns: number,
): Quant {
  if (ranges.isUniform) return { format, ranges };
  const isByColumn = columns % ranges.period === 0;
  const period = isByColumn ? columns : sizeOf(shape);
  const place = (i: number) => oldPlace(i, parts, columns);
  return {
    format,
    ranges: Ranges.each(period, (i) => [ranges.lo(place(i)), ranges.hi(place(i))]),
  };
}
