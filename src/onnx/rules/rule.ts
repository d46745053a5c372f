import { fail } from "../../base/index.ts";
import type { Origin } from "../../ir/index.ts";
import type { DType, ElementType, Shape, Tensor } from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import type { RuleContext } from "./rule-context.ts";

/** A value while a model is imported: known numbers, or something that the network computes. */
export type Operand = ConstOperand | ComputedOperand;

export interface ConstOperand {
  readonly kind: "const";
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Tensor;
  readonly origin: Origin;
  /** Set where the numbers are to be taken as they are; see `ConstValue`. */
  readonly exact?: true;
  /** What the graph will call it, if it is needed there. */
  readonly name: string;
  /** As the file has it, where the numbers come from there as they are. */
  readonly elementType?: ElementType;
}

/** Told apart by identity: two operands of the same type are two values. */
export interface ComputedOperand {
  readonly kind: "computed";
  readonly shape: Shape;
  readonly dtype: DType;
  /** Of an input of the network. */
  readonly elementType?: ElementType;
}

/** What becomes of one operator of ONNX. */
export interface Rule {
  /** As the model writes it: `Gemm`. */
  readonly op: string;
  /** `""` for the standard's own operators. */
  readonly domain: string;
  /**
   * Says with our operators what the node computes: its outputs in order; trailing ones that nobody needs
   * may be left out. Attributes are looked at before inputs, so that they are judged even where the
   * inputs are not known.
   *
   * @throws N2F_OP_UNSUPPORTED by `unsupported`, N2F_OP_ATTRIBUTE and N2F_ONNX_SHAPE
   */
  import(node: NodeView, context: RuleContext): Operand | readonly Operand[];
}

export function defineRule(rule: Omit<Rule, "domain"> & { readonly domain?: string }): Rule {
  return { domain: "", ...rule };
}

/** @throws N2F_OP_UNSUPPORTED, always; the place is added by the import */
export function unsupported(reason: string, hint: string): never {
  return fail("N2F_OP_UNSUPPORTED", reason, { hint });
}
