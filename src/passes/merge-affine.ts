import { type ConstValue, constantSide, isExact, rewriteGraph } from "../ir/index.ts";
import { definePass } from "./pass.ts";

/**
 * Makes one constant of two that follow one another.
 *
 *     "a" = mul("x", "c")        "y" = mul("x", "c*d")
 *     "y" = mul("a", "d")
 */
export const mergeAffine = definePass({
  name: "merge-affine",
  description: "Merges successive products, and successive sums, with constants.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args, isUsedOnce }) => {
      if (value.op !== "mul" && value.op !== "add") return undefined;
      const outer = constantSide(args.map((id) => build.value(id)));
      if (outer === undefined) return undefined;
      const inner = outer.other;
      if (inner.kind !== "op" || inner.op !== value.op || !isUsedOnce(inner.id)) return undefined;
      const innerSides = constantSide(inner.args.map((id) => build.value(id)));
      const op = ops.get(value.op);
      if (innerSides === undefined || op === undefined) return undefined;
      const constants: ConstValue[] = [innerSides.constant, outer.constant];
      const merged = op.float(
        constants.map((constant) => constant.data),
        {},
      );
      const { id } = outer.constant;
      const constant = constants.every(isExact)
        ? build.exactConstant(merged, id)
        : build.constant(merged, id);
      return build.op(value.op, [innerSides.other.id, constant]);
    }),
});
