import {
  type Attrs,
  type Registry,
  type RewriteContext,
  rewriteGraph,
  type ValueId,
} from "../ir/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { type QuantizeNumbers, readQuantize } from "./absorb.ts";
import { apply, type CodeCone, coneOf, evaluateCone } from "./code-cone.ts";
import { definePass } from "./pass.ts";

/**
 * Whatever stands between integers of a quantized model and the next quantization, and is a function of one of them
 * alone, becomes a table of integers: what a processor computes in float32, step by step.
 *
 *     "x" = mul("q", "s")                "y" = code_table("q") {lo=-128, values=[...]}
 *     "f" = sigmoid("x")
 *     "y" = quantize("f") {...}
 *
 * Scales, biases, rectifiers and bounds alone stay as they are where exact arithmetic gives the same integers: then
 * they are part of the next quantization, which is cheaper.
 */
export const tabulate = definePass({
  name: "tabulate",
  description: "Makes tables of functions between the integers of quantized models.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, ({ op, attrs }, context) =>
      op === "quantize" && isOneForAll(readQuantize(attrs))
        ? tableOf(attrs, context, ops)
        : undefined,
    ),
});

/** What a `quantize` can take upon itself. */
const affine = new Set(["mul", "add", "sub", "div", "relu", "clip", "identity"]);
/** A table for what arithmetic can do has no more entries. */
const mostAffine = 2 ** 12;

function isOneForAll({ mul, add, div, zero_point: zero }: QuantizeNumbers): boolean {
  return [mul, add, div, zero].every((list) => list.length === 1);
}

function tableOf(
  attrs: Attrs,
  { build, args: [arg] }: RewriteContext,
  ops: Registry,
): ValueId | undefined {
  const find = (id: ValueId) => build.value(id);
  const cone = coneOf(arg, find, ops);
  if (cone === undefined || cone.steps.length === 0) return undefined;
  const { root, span } = cone;
  const integers = (rounding: (x: number) => number, arithmetic: string): Tensor =>
    apply(ops, "quantize", [evaluateCone(cone, find, ops, rounding)], {
      ...attrs,
      axis: 0,
      arithmetic,
    });
  const { data } = integers(Math.fround, "float32");
  if (isAffine(cone)) {
    if (span.hi - span.lo >= mostAffine) return undefined;
    const exact = integers((x) => x, attrs["arithmetic"] as string);
    if (exact.data.every((code, i) => code === data[i])) return undefined;
  }
  if (!data.every(Number.isSafeInteger)) return undefined;
  return build.op("code_table", [root.id], { lo: span.lo, values: Array.from(data) });
}

function isAffine({ steps }: CodeCone): boolean {
  return steps.every(({ op }) => affine.has(op));
}
