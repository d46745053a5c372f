import { fail } from "../../base/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

function counted(context: RuleContext, result: Operand, length: number): Operand {
  if (result.kind === "computed") context.countMacs(sizeOf(result.shape) * length);
  return result;
}

/** @throws N2F_ONNX_DTYPE for factors or a bias of another type than the first, which the standard does not have */
function ofOneType(operands: readonly Operand[]): void {
  const [first] = operands;
  const other = operands.find(({ dtype }) => dtype !== first.dtype);
  if (other !== undefined) {
    fail("N2F_ONNX_DTYPE", `type ${first.dtype} meets type ${other.dtype}`, {
      hint: "Cast one of them in the model: a product has one type.",
    });
  }
}

const matmul = defineRule({
  op: "MatMul",
  import: (node, context) => {
    const [a, b] = [node.input(0), node.input(1)];
    ofOneType([a, b]);
    return counted(context, context.apply("matmul", [a, b]), a.shape.at(-1) ?? 1);
  },
});

const gemm = defineRule({
  op: "Gemm",
  import: (node, context) => {
    const attrs = {
      alpha: node.float("alpha", 1),
      beta: node.float("beta", 1),
      transA: node.flag("transA", false),
      transB: node.flag("transB", false),
    };
    const [a, b, c] = [node.input(0), node.input(1), node.optional(2)];
    const operands = c === undefined ? [a, b] : [a, b, c];
    ofOneType(operands);
    const result = context.apply("gemm", operands, attrs);
    return counted(context, result, a.shape[attrs.transA ? 0 : 1]);
  },
});

export const matmulRules: readonly Rule[] = [matmul, gemm];
