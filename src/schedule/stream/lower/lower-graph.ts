import { reduceCode } from "../../../hwlib/index.ts";
import type { Graph, OpValue, Registry, ValueId } from "../../../ir/index.ts";
import { argsOf } from "../loops.ts";
import type { NetworkBuilder, Stream } from "../network-builder.ts";
import { kernelOf, type Unit } from "../units.ts";
import { Context, type LowerOptions, refuse } from "./context.ts";
import { lowerEngine } from "./engines.ts";
import { lowerLoop } from "./loops.ts";
import { lowerGather } from "./order.ts";
import { lowerInputs, lowerOutputs } from "./packets.ts";
import { lowerPool, lowerReduce } from "./pools.ts";
import { lowerProduct } from "./product.ts";
import { lowerRegion } from "./region-node.ts";

export interface Lowered {
  readonly network: NetworkBuilder;
  readonly input: { readonly beats: number; readonly beatBytes: number };
  readonly output: { readonly beats: number; readonly beatBytes: number };
}

/** Makes nodes and edges of a graph's units: every FIFO has the least depth as yet. */
export function lowerGraph(
  graph: Graph,
  ops: Registry,
  units: ReadonlyMap<ValueId, Unit>,
  options: LowerOptions,
): Lowered {
  const context = new Context(graph, ops, units, options);
  context.countReaders();
  const input = lowerInputs(context);
  const done = new Set<Unit>();
  for (const { value } of graph.outputs) ensure(context, value, done);
  const output = lowerOutputs(context);
  return { network: context.net, input, output };
}

/** Makes the unit that makes a value, and before it all that it reads. */
function ensure(context: Context, id: ValueId, done: Set<Unit>): void {
  const unit = context.units.get(id);
  if (unit === undefined || done.has(unit)) return;
  done.add(unit);
  if (unit.kind === "region") {
    for (const input of unit.inputs) ensure(context, input, done);
    lowerRegion(context, unit);
    return;
  }
  if (unit.kind === "loop") {
    for (const input of argsOf(unit.loop)) ensure(context, input, done);
    lowerLoop(context, unit, (body) => {
      const own = new Set<Unit>();
      for (const { value } of body.graph.outputs) ensure(body, value, own);
    });
    return;
  }
  const { value } = unit;
  for (const arg of value.args) ensure(context, arg, done);
  context.net.from(value.origin);
  if (unit.kind === "engine") lowerEngine(context, unit.layer, value);
  else context.provide(value.id, moduleStream(context, value));
}

/** The stream of an operator with a module of its own. */
function moduleStream(context: Context, value: OpValue): Stream {
  switch (value.op) {
    case "max_pool":
      return lowerPool(context, value, reduceCode.max);
    case "sum_pool":
      return lowerPool(context, value, reduceCode.sum);
  }
  const kernel = kernelOf(context.graph, context.ops, value);
  switch (kernel.kind) {
    case "reduce":
      return lowerReduce(context, value, kernel);
    case "gather":
      return lowerGather(context, value, kernel);
    case "matmul":
      return lowerProduct(context, value, kernel);
    default:
      return refuse(value);
  }
}
