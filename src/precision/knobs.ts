import {
  type Graph,
  getValue,
  type OpValue,
  quantOf,
  type Registry,
  type Value,
  type ValueId,
} from "../ir/index.ts";
import { type Product, productOf } from "./products.ts";

/** A width that a search may choose by itself: that of a layer's weights, or of a value that products read. */
export interface Knob {
  /** `weight` or `result`, then the value's name. */
  readonly id: string;
  readonly part: "weight" | "result";
  /** The value of the float graph by which the options speak of it. */
  readonly value: ValueId;
  /** The node of the user's model. */
  readonly node: string;
}

/** Knobs, and how often the widths of two of them are multiplied with each other. */
export interface KnobPlan {
  readonly knobs: readonly Knob[];
  readonly products: readonly KnobProduct[];
}

export interface KnobProduct extends Pick<Product, "macs"> {
  /** Ids of knobs; absent where that side's width is not to be chosen. */
  readonly sides: readonly [string | undefined, string | undefined];
}

/**
 * What a search may choose in a graph, read off its quantized form: the weights of every product, and every
 * value that was narrowed (or is an input) before a product reads it, through moves, clamps and maxima.
 *
 * @param graph the float graph, whose names the options use
 */
export function planKnobs(graph: Graph, quantized: Graph, ops: Registry): KnobPlan {
  const knobs = new Map<string, Knob>();
  const products: KnobProduct[] = [];
  const knobOf = (part: Knob["part"], value: Value): string => {
    const id = `${part} ${value.id}`;
    if (!knobs.has(id)) knobs.set(id, { id, part, value: value.id, node: value.origin.node });
    return id;
  };
  for (const value of quantized.values.values()) {
    const product = value.kind === "op" ? productOf(quantized, value) : undefined;
    if (product === undefined) continue;
    const sides = product.sides.map((side) => {
      const arg = getValue(quantized, side);
      if (arg.kind === "const") {
        // A constant of a quantized model has the width that the model gives it.
        const isFree = arg.dtype !== "int" && graph.values.get(value.id)?.kind === "op";
        return isFree ? knobOf("weight", value) : undefined;
      }
      const source = sourceOf(quantized, arg, ops);
      const own = source && graph.values.get(source);
      return own === undefined || own.dtype === "int" ? undefined : knobOf("result", own);
    });
    products.push({ macs: product.macs, sides: [sides[0], sides[1]] });
  }
  return { knobs: [...knobs.values()], products };
}

/** The value of the float graph whose narrowing decides the width of an argument; none where nothing does. */
function sourceOf(quantized: Graph, arg: Value, ops: Registry): ValueId | undefined {
  let value = arg;
  for (;;) {
    if (value.kind === "input") return value.id;
    if (value.kind === "const") return undefined;
    if (value.op === "requantize") return value.args[0];
    if (ops.get(value.op)?.kind === "primitive" && isLossy(ops, value)) return value.id;
    const next = keepsWidth(quantized, value);
    if (next === undefined) return value.id;
    value = next;
  }
}

function isLossy(ops: Registry, value: OpValue): boolean {
  const op = ops.get(value.op);
  return op?.kind === "primitive" && op.lossy === true;
}

/** The only varying argument of an operator that hands its codes on as they are. */
function keepsWidth(quantized: Graph, value: OpValue): Value | undefined {
  const varying = value.args
    .map((id) => getValue(quantized, id))
    .filter((arg) => arg.kind !== "const");
  if (varying.length !== 1) return undefined;
  const [own, its] = [quantOf(value).format, quantOf(varying[0]).format];
  return own.frac === its.frac && own.width <= its.width ? varying[0] : undefined;
}
