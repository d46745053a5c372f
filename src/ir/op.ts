import type { DType, Shape, Tensor } from "../tensor/index.ts";
import type { Builder } from "./builder.ts";
import type { Attrs, ConstValue, Quant, ValueId } from "./graph.ts";
import type { Kernel, KernelWord } from "./kernel.ts";

/** What an operator may know of an argument while types are worked out. */
export interface ArgType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What an operator may know of an argument of a quantized graph. Constants bring their codes. */
export interface QuantArg extends ArgType {
  readonly quant: Quant;
  readonly data?: ConstValue["data"];
}

/** What every operator says of itself. Facets are pure. */
interface OpBase<A extends Attrs> {
  /** `snake_case`, as the text form writes it. */
  readonly name: string;
  readonly summary: string;
  /** Shape and element type of the result. @throws N2F_OP_ATTRIBUTE for impossible arguments */
  type(args: readonly ArgType[], attrs: A): ArgType;
  /** The meaning over real numbers. */
  float(args: readonly Tensor[], attrs: A): Tensor;
  /**
   * Set where a transpose of the arguments may as well come after the operator:
   * op(transpose(x, perm), ...; attrs) = transpose(op(x, ...; attrs'), perm'). Gives attrs' and perm'.
   * Arguments of fewer axes broadcast.
   */
  readonly swapTranspose?: (
    perm: readonly number[],
    attrs: A,
  ) => { readonly attrs: A; readonly perm: readonly number[] };
}

/**
 * An operator that hardware has. `quant` proves which codes come out, `fixed` computes them exactly and
 * slowly (the oracle of the tests), `kernel` says the same in the words from which fast code and hardware
 * are made.
 */
export interface PrimitiveOp<A extends Attrs = Attrs> extends OpBase<A> {
  readonly kind: "primitive";
  /**
   * Which arguments must be narrowed to the working precision before they come here. Others take the
   * exact result of whatever makes them.
   */
  narrow(args: readonly ArgType[], attrs: A): readonly boolean[];
  /** Arguments must share one binary point: the finest among them, which costs nothing. */
  readonly alignPoints?: boolean;
  /**
   * Set where the result's precision is chosen and not derived: the operator then takes it from the
   * attributes that `precisionAttrs` writes.
   */
  readonly lossy?: boolean;
  /**
   * Set where the argument is the index of a table: the part of the real line beyond which the result
   * does not change, so that the argument may be saturated to it.
   */
  readonly indexDomain?: (attrs: A) => readonly [number, number];
  /**
   * Set for a table that is steep near zero. It may be applied to sections of its domain then, with the
   * attributes `bottom`, `until` and `last`, and the results added.
   */
  readonly isSteep?: boolean;
  /**
   * Set for what begins a step of a loop (`findLoops`): constants are not folded through it, and all steps have one
   * format.
   */
  readonly isState?: true;
  /** The words that its kernel may have, which the hardware plan goes by (`src/schedule/hardware-plan.ts`). */
  readonly words: readonly KernelWord["kind"][];
  /** Set where its kernel may be several words one after the other. */
  readonly isSequence?: true;
  /** Format and code intervals of the exact result. @throws N2F_FORMAT_RANGE beyond 64 bits */
  quant(args: readonly QuantArg[], attrs: A): Quant;
  fixed(
    args: readonly (readonly bigint[])[],
    quants: readonly QuantArg[],
    attrs: A,
    to: Quant,
  ): bigint[];
  kernel(args: readonly QuantArg[], attrs: A, to: Quant): Kernel;
}

/** An operator that is made of others; a pass replaces it before quantization. */
export interface CompositeOp<A extends Attrs = Attrs> extends OpBase<A> {
  readonly kind: "composite";
  /** The operators that it may be made of. */
  readonly madeOf: readonly string[];
  decompose(build: Builder, args: readonly ValueId[], attrs: A): ValueId;
}

export type Op<A extends Attrs = Attrs> = PrimitiveOp<A> | CompositeOp<A>;

/** All operators by name. */
export type Registry = ReadonlyMap<string, Op>;

/** Checks a definition's type where it is written, and forgets its attributes for the registry. */
export function definePrimitive<A extends Attrs>(op: Omit<PrimitiveOp<A>, "kind">): Op {
  return { kind: "primitive", ...op } as unknown as Op;
}

export function defineComposite<A extends Attrs>(op: Omit<CompositeOp<A>, "kind">): Op {
  return { kind: "composite", ...op } as unknown as Op;
}
