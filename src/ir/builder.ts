import { assert, Nn2fpgaError } from "../base/index.ts";
import type { Format } from "../fixed/index.ts";
import type { Tensor } from "../tensor/index.ts";
import {
  type Attrs,
  type Graph,
  type GraphOutput,
  type Origin,
  originText,
  type Quant,
  type Value,
  type ValueId,
  valueId,
} from "./graph.ts";
import type { ArgType, Registry } from "./op.ts";

/** Makes a graph, value by value; shapes are worked out as they come. Finished once, by `graph`. */
export class Builder {
  readonly #ops: Registry;
  readonly #reserved: ReadonlySet<ValueId>;
  readonly #values = new Map<ValueId, Value>();
  readonly #used = new Set<ValueId>();
  #origin: Origin = { node: "", type: "" };

  /** @param reserved names that are not given to values which ask for a fresh one */
  constructor(ops: Registry, reserved: ReadonlySet<ValueId> = new Set()) {
    this.#ops = ops;
    this.#reserved = reserved;
  }

  /** Values made from here on are said to come from this node. */
  from(origin: Origin): this {
    this.#origin = origin;
    return this;
  }

  value(id: ValueId): Value {
    const value = this.#values.get(id);
    assert(value !== undefined, `no value ${id}`);
    return value;
  }

  /** A name that no value has yet: the wish, or the wish with a number. */
  freshName(wish: string): ValueId {
    const isTaken = (name: ValueId) => this.#values.has(name) || this.#reserved.has(name);
    let name = valueId(wish);
    for (let n = 1; isTaken(name); n++) name = valueId(`${wish}_${n}`);
    return name;
  }

  /** @param integers their format, where the model says that they are integers of so many bits */
  input(name: string, type: ArgType, quant?: Quant, integers?: Format): ValueId {
    const [id, origin] = [valueId(name), this.#origin];
    const { shape, dtype } = type;
    const more = { ...(quant && { quant }), ...(integers && { integers }) };
    return this.add({ kind: "input", id, shape, dtype, origin, ...more });
  }

  constant(data: Tensor, name: string = `${this.#origin.node}.const`, quant?: Quant): ValueId {
    const { shape, dtype } = data;
    const id = this.freshName(name);
    const origin = this.#origin;
    return this.add({ kind: "const", id, shape, dtype, data, origin, ...(quant && { quant }) });
  }

  /** A constant whose numbers are to be taken as they are. */
  exactConstant(data: Tensor, name: string = `${this.#origin.node}.const`): ValueId {
    const { shape, dtype } = data;
    const id = this.freshName(name);
    return this.add({ kind: "const", id, shape, dtype, data, exact: true, origin: this.#origin });
  }

  /** Applies an operator. The name defaults to the origin's, with the operator added. */
  op(op: string, args: readonly ValueId[], attrs: Attrs = {}, name?: string): ValueId {
    const definition = this.#ops.get(op);
    assert(definition !== undefined, `no operator ${op}`);
    const type = placeProblems(this.#origin, () =>
      definition.type(
        args.map((arg) => this.value(arg)),
        attrs,
      ),
    );
    const id = this.freshName(name ?? `${this.#origin.node}.${op}`);
    return this.add({ kind: "op", id, op, attrs, args, ...type, origin: this.#origin });
  }

  /**
   * Gives a value that nothing uses yet another name, so that what replaces a value can be called like
   * it. Values that are older than their replacement (inputs, say) keep theirs.
   */
  rename(id: ValueId, wish: ValueId): ValueId {
    const value = this.value(id);
    if (value.kind !== "op" || this.#values.has(wish)) return id;
    if (this.#used.has(id)) return id;
    this.#values.delete(id);
    return this.add({ ...value, id: wish });
  }

  /** Takes a value as it is. */
  add(value: Value): ValueId {
    assert(!this.#values.has(value.id), `value ${value.id} is made twice`);
    this.#values.set(value.id, value);
    if (value.kind === "op") for (const arg of value.args) this.#used.add(arg);
    return value.id;
  }

  /** The finished graph, without values that no output needs. Inputs stay. */
  graph(name: string, outputs: readonly GraphOutput[]): Graph {
    const needed = new Set<ValueId>(outputs.map((output) => output.value));
    const order = [...this.#values.values()];
    for (const value of order.toReversed()) {
      if (value.kind === "op" && needed.has(value.id))
        for (const arg of value.args) needed.add(arg);
    }
    const kept = order.filter((value) => value.kind === "input" || needed.has(value.id));
    return { name, values: new Map(kept.map((value) => [value.id, value])), outputs };
  }
}

/** Gives the problems of a step that do not say where they are the place of a node. */
export function placeProblems<T>(origin: Origin, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof Nn2fpgaError)) throw error;
    const problems = error.problems.map((problem) => ({ at: originText(origin), ...problem }));
    throw new Nn2fpgaError(problems, { cause: error.cause });
  }
}
