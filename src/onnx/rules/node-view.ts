import { fail } from "../../base/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { OnnxAttribute, OnnxNode, OnnxTensor } from "../model.ts";
import { type Operand, unsupported } from "./rule.ts";

/** Thrown where a rule asks for an input of which nothing is known, because its maker is unsupported. */
export class UnknownInput extends Error {}

/** An input as far as it is known; nothing where it is left out. */
export type NodeInput = Operand | "unknown" | undefined;

/** A node as rules see it: inputs as operands, attributes with defaults. */
export class NodeView {
  readonly #node: OnnxNode;
  readonly #inputs: readonly NodeInput[];

  constructor(node: OnnxNode, inputs: readonly NodeInput[]) {
    this.#node = node;
    this.#inputs = inputs;
  }

  get opType(): string {
    return this.#node.opType;
  }

  /** Outputs that the node lists, those that are not wanted included. */
  get outputCount(): number {
    return this.#node.outputs.length;
  }

  /** Whether an output is wanted at all. */
  hasOutput(index: number): boolean {
    return (this.#node.outputs[index] ?? "") !== "";
  }

  /** @throws N2F_OP_ATTRIBUTE where the input is left out */
  input(index: number): Operand {
    return this.optional(index) ?? this.#missing(index);
  }

  /** An input that may be left out. */
  optional(index: number): Operand | undefined {
    const operand = this.#inputs[index];
    if (operand === "unknown") throw new UnknownInput();
    return operand;
  }

  /** All inputs of an operator that takes any number of them, but at least one. */
  inputs(): readonly [Operand, ...Operand[]] {
    return [this.input(0), ...this.#inputs.slice(1).map((_, index) => this.input(index + 1))];
  }

  /**
   * The numbers of an input that must be constant.
   * @param what the input, for the message: `the slope`
   */
  constant(index: number, what: string): Tensor {
    return this.optionalConstant(index, what) ?? this.#missing(index);
  }

  optionalConstant(index: number, what: string): Tensor | undefined {
    const operand = this.optional(index);
    if (operand?.kind !== "computed") return operand?.data;
    return unsupported(
      `${what} is computed by the network, not constant`,
      "Export the model with this value fixed (constant folding on, static shapes), so that it stands in the file.",
    );
  }

  /** A constant list of integers: axes, a shape, indices. */
  optionalIntegers(index: number, what: string): readonly number[] | undefined {
    const tensor = this.optionalConstant(index, what);
    const wrong = tensor?.data.find((value) => !Number.isSafeInteger(value));
    if (wrong !== undefined) fail("N2F_OP_ATTRIBUTE", `${what} has ${wrong} in it`);
    return tensor && Array.from(tensor.data);
  }

  integers(index: number, what: string): readonly number[] {
    return this.optionalIntegers(index, what) ?? this.#missing(index);
  }

  has(name: string): boolean {
    return this.#node.attributes.has(name);
  }

  int(name: string, otherwise?: number): number {
    return this.#attribute(name, "int")?.value ?? otherwise ?? this.#absent(name);
  }

  /** A truth value, which the standard has as an integer: 0 or 1. */
  flag(name: string, otherwise: boolean): boolean {
    const value = this.int(name, Number(otherwise));
    if (value !== 0 && value !== 1) {
      fail("N2F_OP_ATTRIBUTE", `attribute ${name} is ${value}, and can only be 0 or 1`);
    }
    return value === 1;
  }

  float(name: string, otherwise?: number): number {
    return this.#attribute(name, "float")?.value ?? otherwise ?? this.#absent(name);
  }

  string(name: string, otherwise?: string): string {
    return this.#attribute(name, "string")?.value ?? otherwise ?? this.#absent(name);
  }

  optionalStrings(name: string): readonly string[] | undefined {
    return this.#attribute(name, "strings")?.value;
  }

  optionalFloats(name: string): readonly number[] | undefined {
    return this.#attribute(name, "floats")?.value;
  }

  optionalInts(name: string): readonly number[] | undefined {
    return this.#attribute(name, "ints")?.value;
  }

  ints(name: string): readonly number[] {
    return this.optionalInts(name) ?? this.#absent(name);
  }

  floats(name: string): readonly number[] {
    return this.#attribute(name, "floats")?.value ?? this.#absent(name);
  }

  optionalTensor(name: string): OnnxTensor | undefined {
    return this.#attribute(name, "tensor")?.value;
  }

  #attribute<K extends OnnxAttribute["kind"]>(
    name: string,
    kind: K,
  ): Extract<OnnxAttribute, { readonly kind: K }> | undefined {
    const attribute = this.#node.attributes.get(name);
    if (attribute === undefined) return undefined;
    if (attribute.kind !== kind) {
      fail("N2F_OP_ATTRIBUTE", `attribute ${name} is of type ${attribute.kind}, not ${kind}`);
    }
    return attribute as Extract<OnnxAttribute, { readonly kind: K }>;
  }

  #missing(index: number): never {
    return fail("N2F_OP_ATTRIBUTE", `${this.opType} has no input number ${index + 1}`);
  }

  #absent(name: string): never {
    return fail("N2F_OP_ATTRIBUTE", `${this.opType} has no attribute ${name}`);
  }
}
