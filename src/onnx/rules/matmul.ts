import { sizeOf } from "../../tensor/index.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

function counted(context: RuleContext, result: Operand, length: number): Operand {
  if (result.kind === "computed") context.countMacs(sizeOf(result.shape) * length);
  return result;
}

const matmul = defineRule({
  op: "MatMul",
  import: (node, context) => {
    const [a, b] = [node.input(0), node.input(1)];
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
    const result = context.apply("gemm", c === undefined ? [a, b] : [a, b, c], attrs);
    return counted(context, result, a.shape[attrs.transA ? 0 : 1]);
  },
});

export const matmulRules: readonly Rule[] = [matmul, gemm];
