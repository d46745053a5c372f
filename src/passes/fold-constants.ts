import { type ConstValue, isExact, rewriteGraph } from "../ir/index.ts";
import { definePass } from "./pass.ts";

/**
 * Computes what depends on constants alone. What is made of exact constants is exact.
 *
 *     "t" = transpose("w") {perm=[1, 0]}        const "t" = ...
 */
export const foldConstants = definePass({
  name: "fold-constants",
  description: "Computes what depends on constants alone.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args }) => {
      const constants = args.map((id) => build.value(id));
      if (!constants.every((arg): arg is ConstValue => arg.kind === "const")) return undefined;
      const op = ops.get(value.op);
      if (op?.kind === "primitive" && op.isState) return undefined;
      const data = op?.float(
        constants.map((arg) => arg.data),
        value.attrs,
      );
      if (data === undefined) return undefined;
      return constants.every(isExact)
        ? build.exactConstant(data, value.id)
        : build.constant(data, value.id);
    }),
});
