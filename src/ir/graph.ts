import type { Format } from "../fixed/index.ts";
import type { DType, Shape, Tensor } from "../tensor/index.ts";
import type { Ranges } from "./ranges.ts";

declare const brand: unique symbol;
/** Names a value of one graph. Where the user's model has a name for it, it is that name. */
export type ValueId = string & { readonly [brand]: "ValueId" };

/** The one place where a string becomes a ValueId. */
export function valueId(name: string): ValueId {
  return name as ValueId;
}

/** Attributes of an operator: plain data, so that the text form can print them. */
export type AttrValue = number | string | boolean | readonly number[];
export type Attrs = Readonly<Record<string, AttrValue>>;

/** Where a value comes from, in the words of the user's model. */
export interface Origin {
  /** The node's name, or its first output where it has none. */
  readonly node: string;
  /** The node's operator, as the model writes it. */
  readonly type: string;
}

/** How the codes of a value are to be read, and which codes can occur. Present after quantization. */
export interface Quant {
  readonly format: Format;
  /** The proven interval of each element's code. */
  readonly ranges: Ranges;
}

/**
 * One value and what makes it. Every operator makes exactly one value, so a value and its node are one
 * thing: an operator of ONNX with several outputs becomes several values.
 */
export type Value = InputValue | ConstValue | OpValue;

interface ValueBase {
  readonly id: ValueId;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly origin: Origin;
  readonly quant?: Quant;
}

export interface InputValue extends ValueBase {
  readonly kind: "input";
  /** Set where the model gives the input integers of so many bits. */
  readonly integers?: Format;
}

export interface ConstValue extends ValueBase {
  readonly kind: "const";
  /** Real numbers before quantization, integer codes (at most 53 bits) after it. */
  readonly data: Tensor;
  /**
   * Set where the numbers are part of the meaning of a quantized model, as its scales are: they are taken as they
   * are, and never rounded to a weight's precision. Integers are so by nature.
   */
  readonly exact?: true;
}

export interface OpValue extends ValueBase {
  readonly kind: "op";
  readonly op: string;
  readonly attrs: Attrs;
  readonly args: readonly ValueId[];
}

export interface GraphOutput {
  /** The name that the user's model gives the output. */
  readonly name: string;
  readonly value: ValueId;
}

/** Values in an order in which each comes after its arguments. Inputs come in the model's order. */
export interface Graph {
  readonly name: string;
  readonly values: ReadonlyMap<ValueId, Value>;
  readonly outputs: readonly GraphOutput[];
}

/** The value of a name, which must exist. */
export function getValue(graph: Graph, id: ValueId): Value {
  const value = graph.values.get(id);
  if (value === undefined) throw new Error(`graph ${graph.name} has no value ${id}`);
  return value;
}

export function inputsOf(graph: Graph): readonly InputValue[] {
  return [...graph.values.values()].filter((value) => value.kind === "input");
}

/** Whether a constant is to be taken as it is. */
export function isExact({ exact, dtype }: Pick<ConstValue, "exact" | "dtype">): boolean {
  return exact === true || dtype !== "float";
}

/** Who reads each value, as often as it does. Outputs of the graph do not count. */
export function usersOf(graph: Graph): ReadonlyMap<ValueId, readonly OpValue[]> {
  const users = new Map<ValueId, OpValue[]>();
  for (const value of graph.values.values()) {
    if (value.kind !== "op") continue;
    for (const arg of value.args) {
      const list = users.get(arg);
      if (list === undefined) users.set(arg, [value]);
      else list.push(value);
    }
  }
  return users;
}

/** The quantization of a value of a quantized graph. */
export function quantOf(value: Value): Quant {
  if (value.quant === undefined) throw new Error(`value ${value.id} is not quantized`);
  return value.quant;
}

/** `fc1 (MatMul)`, for the `at` of a problem. */
export function originText(origin: Origin): string {
  return `${origin.node} (${origin.type})`;
}
