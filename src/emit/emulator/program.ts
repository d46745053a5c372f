import { assert, unreachable } from "../../base/index.ts";
import {
  type Graph,
  getValue,
  type KernelWord,
  type Operand,
  type OpValue,
  type QuantArg,
  quantOf,
  type Registry,
  stepsOf,
  type Value,
  type ValueId,
  valueId,
} from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import type { Interval } from "./interval.ts";
import { isContiguous } from "./nest.ts";
import { type Product, readProduct, readThroughGather } from "./product.ts";

/** One operator of the graph, or one step of it, with what it does to integers. */
export interface Node {
  readonly id: ValueId;
  readonly kernel: KernelWord;
  readonly args: readonly ValueId[];
  readonly size: number;
  readonly argSizes: readonly number[];
  /** All codes of the result lie in it. */
  readonly interval: Interval;
}

/**
 * Operators that become one loop: a root, and element-wise operators that take its result from the
 * registers. Only the result of the last one is stored.
 */
export interface Group {
  readonly kind: "group";
  readonly root: Node;
  readonly chain: Node[];
  /** Set where the root is a matrix product. */
  product?: Product;
}

/** A value that is another one's memory, or a part of it. */
export interface Alias {
  readonly kind: "alias";
  readonly id: ValueId;
  readonly of: ValueId;
  /** First element. */
  readonly start: number;
  readonly interval: Interval;
}

/** A constant that must stand in memory like any other value. */
export interface Spread {
  readonly kind: "spread";
  readonly id: ValueId;
}

export type Step = Group | Alias | Spread;

/** What is to be computed for each sample, in order. */
export interface Program {
  readonly steps: readonly Step[];
  readonly constants: ReadonlyMap<ValueId, Float64Array>;
  /** How often each value is read, by operators and as an output. */
  readonly uses: ReadonlyMap<ValueId, number>;
}

/**
 * Reads a quantized graph: drops what no output needs, folds gathers of constants, and joins operators
 * into groups.
 */
export function readProgram(graph: Graph, ops: Registry): Program {
  const constants = new Map<ValueId, Float64Array>();
  const nodes: Node[] = [];
  const needed = neededValues(graph);
  for (const value of graph.values.values()) {
    if (!needed.has(value.id)) continue;
    if (value.kind === "const") constants.set(value.id, value.data.data);
    if (value.kind === "op") nodes.push(...readNodes(graph, ops, value));
  }
  const uses = countUses(nodes, graph);
  const steps: Step[] = [];
  /** The group whose result a value is. */
  const groupOf = new Map<ValueId, Group>();
  const spread = (id: ValueId): void => {
    if (constants.has(id) && !steps.some((step) => step.kind === "spread" && step.id === id)) {
      steps.push({ kind: "spread", id });
    }
  };

  for (const node of nodes) {
    const folded = foldGather(node, constants);
    if (folded !== undefined) {
      constants.set(node.id, folded);
      continue;
    }
    const follows = chainArgument(node, constants);
    const before = follows === undefined ? undefined : groupOf.get(follows);
    if (before !== undefined && uses.get(follows as ValueId) === 1) {
      before.chain.push(node);
      groupOf.set(node.id, before);
      continue;
    }
    const alias = aliasOf(node, constants);
    if (alias !== undefined) {
      steps.push(alias);
      continue;
    }
    const group: Group = { kind: "group", root: node, chain: [] };
    const { kernel } = node;
    if (kernel.kind === "matmul") {
      const product = readProduct(node.args, kernel, (id) => constants.has(id));
      group.product = takeGather(product, steps, groupOf, uses) ?? product;
      spread(group.product.value);
    }
    if (kernel.kind === "reduce") spread(node.args[0]);
    steps.push(group);
    if (kernel.kind !== "gather" || kernel.source === undefined) groupOf.set(node.id, group);
  }
  for (const output of graph.outputs) spread(output.value);
  return { steps, constants, uses };
}

/** Lets a product do the gather before it, where nothing else reads that; removes the gather's step. */
function takeGather(
  product: Product,
  steps: Step[],
  groupOf: ReadonlyMap<ValueId, Group>,
  uses: ReadonlyMap<ValueId, number>,
): Product | undefined {
  const before = groupOf.get(product.value);
  if (before === undefined || uses.get(product.value) !== 1) return undefined;
  const { root, chain } = before;
  const { kernel } = root;
  // Gathers in the chain are identities.
  if (kernel.kind !== "gather" || chain.some((node) => node.kernel.kind !== "gather")) {
    return undefined;
  }
  const through = readThroughGather(product, root.args[0], kernel);
  if (through !== undefined) steps.splice(steps.indexOf(before), 1);
  return through;
}

/** The value that a group leaves in memory. */
export function resultOf({ root, chain }: Group): Node {
  return chain.at(-1) ?? root;
}

/** Values that an output depends on. */
function neededValues(graph: Graph): ReadonlySet<ValueId> {
  const needed = new Set(graph.outputs.map(({ value }) => value));
  for (const value of [...graph.values.values()].reverse()) {
    if (value.kind === "op" && needed.has(value.id)) for (const arg of value.args) needed.add(arg);
  }
  return needed;
}

function countUses(nodes: readonly Node[], graph: Graph): Map<ValueId, number> {
  const uses = new Map<ValueId, number>();
  const use = (id: ValueId): void => void uses.set(id, (uses.get(id) ?? 0) + 1);
  for (const output of graph.outputs) use(output.value);
  for (const node of nodes) node.args.forEach(use);
  return uses;
}

/** The steps of an operator; the last one bears its name. */
function readNodes(graph: Graph, ops: Registry, value: OpValue): Node[] {
  const op = ops.get(value.op);
  assert(op !== undefined, `operator ${value.op} of ${value.id} is not known`);
  assert(op.kind === "primitive", `${value.op} of ${value.id} was not taken apart`);
  const quant = quantOf(value);
  const args = value.args.map((id) => quantArg(getValue(graph, id)));
  const kernel = op.kernel(args, value.attrs, quant);
  const steps = stepsOf(kernel, args.length, sizeOf(value.shape), quant.ranges.hull());
  const ids = [...value.args, ...steps.map((_, i) => valueId(`${value.id} step ${i + 1}`))];
  ids[ids.length - 1] = value.id;
  const sizes = [...args.map((arg) => sizeOf(arg.shape)), ...steps.map(({ size }) => size)];
  return steps.map(({ kernel: word, args: own, size, lo, hi }, i) => ({
    id: ids[args.length + i],
    kernel: word,
    args: own.map((arg) => ids[arg]),
    size,
    argSizes: own.map((arg) => sizes[arg]),
    interval: { lo, hi },
  }));
}

function quantArg(value: Value): QuantArg {
  const { shape, dtype } = value;
  const arg = { shape, dtype, quant: quantOf(value) };
  return value.kind === "const" ? { ...arg, data: value.data } : arg;
}

/** A gather of constants only is a constant. */
function foldGather(
  { kernel, args, size }: Node,
  constants: ReadonlyMap<ValueId, Float64Array>,
): Float64Array | undefined {
  if (kernel.kind !== "gather") return undefined;
  const sources = args.map((id) => constants.get(id));
  if (!sources.every((source) => source !== undefined)) return undefined;
  const fill = Number(kernel.fill ?? 0n);
  return Float64Array.from({ length: size }, (_, i) => {
    const from = kernel.index?.[i] ?? i;
    return from < 0 ? fill : sources[kernel.source?.[i] ?? 0][from];
  });
}

/** The argument that an operator could take element by element as it comes, or undefined. */
function chainArgument(
  { kernel, args, argSizes, size }: Node,
  constants: ReadonlyMap<ValueId, Float64Array>,
): ValueId | undefined {
  const isWhole = (arg: number, index: Int32Array | undefined): boolean =>
    argSizes[arg] === size && (index === undefined || (index[0] === 0 && isContiguous(index)));
  switch (kernel.kind) {
    case "clamp":
    case "requantize":
    case "slope":
    case "table":
    case "scale":
    case "threshold":
      return args[0];
    case "gather":
      return kernel.source === undefined && isWhole(0, kernel.index) ? args[0] : undefined;
    case "binary": {
      const isConstant = (side: Operand): boolean => constants.has(args[side.arg]);
      const [own, other] = isConstant(kernel.a) ? [kernel.b, kernel.a] : [kernel.a, kernel.b];
      return isConstant(other) && isWhole(own.arg, own.index) ? args[own.arg] : undefined;
    }
    case "matmul":
    case "reduce":
      return undefined;
    default:
      return unreachable(kernel);
  }
}

/** A gather of neighbours in their order needs no copy. */
function aliasOf(
  { id, kernel, args, interval }: Node,
  constants: ReadonlyMap<ValueId, Float64Array>,
): Alias | undefined {
  if (kernel.kind !== "gather" || kernel.source !== undefined) return undefined;
  if (constants.has(args[0])) return undefined;
  const { index } = kernel;
  if (index !== undefined && (index[0] < 0 || !isContiguous(index))) return undefined;
  return { kind: "alias", id, of: args[0], start: index?.[0] ?? 0, interval };
}
