import { rewriteGraph } from "../ir/index.ts";
import { definePass } from "./pass.ts";

/**
 * Brings the weights of a matrix product to the right, where the other passes and the hardware look for
 * them. The transposed weights are constants and fold.
 *
 *     "y" = matmul("W", "x")        "y" = matmul("x", transpose("W"))       for a vector x
 */
export const constantsRight = definePass({
  name: "constants-right",
  description: "Brings the weights of a matrix product to its right side.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args }) => {
      if (value.op !== "matmul" || args.length !== 2) return undefined;
      const [left, right] = args.map((id) => build.value(id));
      if (left.kind !== "const" || right.kind === "const" || left.shape.length !== 2)
        return undefined;
      // The result has the type of what stands on the left.
      if (left.dtype !== right.dtype) return undefined;
      const turn = { perm: [1, 0] };
      const weights = build.op("transpose", [left.id], turn);
      if (right.shape.length === 1) return build.op("matmul", [right.id, weights]);
      if (right.shape.length !== 2) return undefined;
      const turned = build.op("transpose", [right.id], turn);
      return build.op("transpose", [build.op("matmul", [turned, weights])], turn);
    }),
});
