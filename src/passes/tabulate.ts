import {
  type Attrs,
  type Builder,
  constantSide,
  type Registry,
  rewriteGraph,
  type Value,
  type ValueId,
} from "../ir/index.ts";
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
        ? tableOf(context.args[0], attrs, context.build, ops)
        : undefined,
    ),
});

const scaling = new Set(["mul", "add", "sub", "div"]);
/** A table for what arithmetic can do has no more entries. */
const mostAffine = 2 ** 12;

function isOneForAll({ mul, add, div, zero_point: zero }: QuantizeNumbers): boolean {
  return [mul, add, div, zero].every((list) => list.length === 1);
}

/** The integers of a quantization as a table, or moved and joined integers of tables; else nothing. */
function tableOf(arg: ValueId, attrs: Attrs, build: Builder, ops: Registry): ValueId | undefined {
  const find = (id: ValueId) => build.value(id);
  const value = find(arg);
  if (value.kind !== "op") return undefined;
  if (value.op === "reshape" || value.op === "transpose") {
    const inner = tableOf(value.args[0], attrs, build, ops);
    return inner && build.op(value.op, [inner], value.attrs);
  }
  if (value.op === "concat") {
    const parts = value.args.map((part) => tableOf(part, attrs, build, ops));
    if (parts.every((part) => part === undefined)) return undefined;
    const all = parts.map((part, i) => part ?? build.op("quantize", [value.args[i]], attrs));
    return build.op("concat", all, value.attrs);
  }
  const cone = coneOf(arg, find, ops);
  if (cone === undefined) return undefined;
  const data = integersOf(cone, attrs, find, ops);
  if (data === undefined) return undefined;
  // To the user it is the layer that computed the function.
  return build
    .from(value.origin)
    .op("code_table", [cone.root.id], { lo: cone.span.lo, values: Array.from(data) });
}

/** What float32 makes of each integer; nothing where exact arithmetic makes the same, or says it for less. */
function integersOf(
  cone: CodeCone,
  attrs: Attrs,
  find: (id: ValueId) => Value,
  ops: Registry,
): Float64Array | undefined {
  const { span, steps } = cone;
  if (steps.length === 0) return undefined;
  const integers = (rounding: (x: number) => number, arithmetic: string): Float64Array =>
    apply(ops, "quantize", [evaluateCone(cone, find, ops, rounding)], {
      ...attrs,
      axis: 0,
      arithmetic,
    }).data;
  const isCheap = isAbsorbed(cone, find);
  if (isCheap && span.hi - span.lo >= mostAffine) return undefined;
  const data = integers(Math.fround, "float32");
  if (isCheap) {
    const exact = integers((x) => x, attrs["arithmetic"] as string);
    if (exact.every((code, i) => code === data[i])) return undefined;
  }
  return data.every(Number.isSafeInteger) ? data : undefined;
}

/** Whether the quantization can take everything into its own numbers: constants that scale or move, and bounds. */
function isAbsorbed({ steps }: CodeCone, find: (id: ValueId) => Value): boolean {
  let [hasBounds, falls] = [false, false];
  for (const { op, args } of steps) {
    if (op === "identity") continue;
    if (op === "relu" || op === "clip") {
      hasBounds = true;
      continue;
    }
    const sides = scaling.has(op) ? constantSide(args.map(find)) : undefined;
    if (sides === undefined) return false;
    if ((op === "sub" || op === "div") && !sides.isRight) return false;
    const [factor] = sides.constant.data.data;
    if (op === "div" && !(factor > 0)) return false;
    if (op === "mul" && !(factor > 0)) falls = true;
  }
  return !(hasBounds && falls);
}
