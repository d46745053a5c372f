import { broadcastIndex, broadcastShapes } from "../../ops/index.ts";
import { type DType, makeTensor, sizeOf, type Tensor } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/** What becomes of an operator where an input is computed by the network. */
export type Lowering = (
  formula: Formula,
  args: readonly Operand[],
  node: NodeView,
  context: RuleContext,
) => Operand;

/**
 * An operator of so many inputs, at least, that is worked out where all are constants, as in the
 * arithmetic of shapes; elsewhere it is lowered to our operators, or refused.
 */
export function folding(
  op: string,
  arity: number,
  evaluate: (args: readonly Tensor[], node: NodeView, context: RuleContext) => Tensor,
  lower?: Lowering,
): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      node.input(arity - 1);
      const args = node.inputs();
      const constants = args.flatMap((arg) => (arg.kind === "const" ? [arg.data] : []));
      if (constants.length === args.length) {
        return context.constant(evaluate(constants, node, context), "folded");
      }
      if (lower !== undefined) return lower(new Formula(context), args, node, context);
      return unsupported(
        `${op} of what the network computes`,
        `${op} is only worked out where all its inputs are constants, as in the arithmetic of shapes. Leave this step to the host, or write it with operators that nn2fpga has.`,
      );
    },
  });
}

/** The same element by element, with the broadcasting of numpy. */
export function foldingElements(
  op: string,
  arity: number,
  fn: (values: readonly number[], node: NodeView) => number,
  dtypeOf: (args: readonly Tensor[]) => DType,
  lower?: Lowering,
): Rule {
  const evaluate = (args: readonly Tensor[], node: NodeView, context: RuleContext): Tensor => {
    const shape = broadcastShapes(...args.map((arg) => arg.shape));
    context.checkFolded(shape);
    const indices = args.map((arg) => broadcastIndex(arg.shape, shape));
    const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) =>
      fn(
        args.map((arg, k) => arg.data[indices[k]?.[i] ?? i]),
        node,
      ),
    );
    return makeTensor(shape, data, dtypeOf(args));
  };
  return folding(op, arity, evaluate, lower);
}

export const ofFirst = ([first]: readonly Tensor[]): DType => first.dtype;
export const toBool = (): DType => "bool";
