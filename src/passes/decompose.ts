import { rewriteGraph } from "../ir/index.ts";
import { definePass } from "./pass.ts";

/**
 * Replaces composite operators by what they are made of, until only primitive ones are left.
 *
 *     "y" = gemm("x", "w", "c")        "y.matmul" = matmul("x", "w")
 *                                      "y" = add("y.matmul", "c")
 */
export const decompose = definePass({
  name: "decompose",
  description: "Replaces composite operators by primitive ones; identities vanish.",
  run: (graph, ops) => {
    const isComposite = (name: string) => ops.get(name)?.kind === "composite";
    let current = graph;
    while (
      [...current.values.values()].some((value) => value.kind === "op" && isComposite(value.op))
    ) {
      current = rewriteGraph(current, ops, (value, { build, args }) => {
        const op = ops.get(value.op);
        return op?.kind === "composite" ? op.decompose(build, args, value.attrs) : undefined;
      });
    }
    return current;
  },
});
