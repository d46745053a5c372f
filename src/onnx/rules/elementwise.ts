import { makeTensor } from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/**
 * The second of two arguments as numpy would have it. Before opset 7 operators broadcast only on request,
 * and `axis` says at which axis of the first the second stands.
 *
 * @see https://github.com/onnx/onnx/blob/main/docs/Changelog.md#Add-6
 */
export function aligned(node: NodeView, context: RuleContext, a: Operand, b: Operand): Operand {
  if (context.opset >= 7 || !node.has("axis") || b.shape.length === 0) return b;
  const axis = node.int("axis");
  const start = axis < 0 ? axis + a.shape.length : axis;
  const behind = a.shape.length - start - b.shape.length;
  if (behind <= 0) return b;
  return context.apply("reshape", [b], {
    shape: [...b.shape, ...new Array<number>(behind).fill(1)],
  });
}

function binary(op: string, ours: string): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      const [a, b] = [node.input(0), node.input(1)];
      return context.apply(ours, [a, aligned(node, context, a, b)]);
    },
  });
}

/** An operator of any number of arguments as a chain of an operator of two. */
function nary(op: string, ours: string): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      const [first, ...rest] = node.inputs();
      if (rest.length === 0) return context.apply("identity", [first]);
      return rest.reduce((joined, next) => context.apply(ours, [joined, next]), first);
    },
  });
}

const mean = defineRule({
  op: "Mean",
  import: (node, context) => {
    const args = node.inputs();
    const sum = args.slice(1).reduce((a, b) => context.apply("add", [a, b]), args[0] as Operand);
    const share = context.constant(makeTensor([], [1 / args.length]));
    return context.apply("mul", [sum, share]);
  },
});

const neg = defineRule({
  op: "Neg",
  import: (node, context) => {
    const x = node.input(0);
    return context.apply("mul", [x, context.constant(makeTensor([], [-1], x.dtype))]);
  },
});

export const elementwiseRules: readonly Rule[] = [
  binary("Add", "add"),
  binary("Sub", "sub"),
  binary("Mul", "mul"),
  nary("Max", "max"),
  nary("Min", "min"),
  nary("Sum", "add"),
  mean,
  neg,
];
