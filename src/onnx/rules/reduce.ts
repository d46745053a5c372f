import { normalizeAxis } from "../../ops/index.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Rule } from "./rule.ts";

/** Axes are an attribute up to some opset and a constant input from then on. */
export function readAxes(node: NodeView, fromInput: boolean): readonly number[] | undefined {
  return fromInput ? node.optionalIntegers(1, "the list of axes") : node.optionalInts("axes");
}

/** A reduction over several axes is one over each, the last axis first so that the others keep their place. */
function reduction(op: string, ours: string, axesInputSince: number): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      const keepdims = node.int("keepdims", 1) !== 0;
      const isNoop = node.int("noop_with_empty_axes", 0) !== 0;
      const listed = readAxes(node, context.opset >= axesInputSince) ?? [];
      const x = node.input(0);
      const rank = x.shape.length;
      const all = isNoop ? [] : x.shape.map((_, axis) => axis);
      const axes = listed.length === 0 ? all : listed.map((axis) => normalizeAxis(axis, rank));
      if (axes.length === 0) return context.apply("identity", [x]);
      const backward = [...new Set(axes)].sort((a, b) => b - a);
      return backward.reduce(
        (y, axis) => context.apply(ours, [y], { axis, keepdims, last: false }),
        x,
      );
    },
  });
}

const argMax = defineRule({
  op: "ArgMax",
  import: (node, context) => {
    const attrs = {
      axis: node.int("axis", 0),
      keepdims: node.int("keepdims", 1) !== 0,
      last: node.int("select_last_index", 0) !== 0,
    };
    return context.apply("argmax", [node.input(0)], attrs);
  },
});

export const reduceRules: readonly Rule[] = [
  reduction("ReduceSum", "reduce_sum", 13),
  reduction("ReduceMax", "reduce_max", 18),
  argMax,
];
