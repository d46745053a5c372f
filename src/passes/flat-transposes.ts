import { movesNothing, permOf, rewriteGraph } from "../ir/index.ts";
import { definePass } from "./pass.ts";

/**
 * Makes a transpose that moves axes of one element alone a reshape, which is no work; reshapes that follow
 * one another become one, and none where the shape is the same.
 *
 *     "t": float[1,28,28,1] = transpose("x") {perm=[0, 2, 3, 1]}     "t" = reshape("x") {shape=[1, 28, 28, 1]}
 */
export const flatTransposes = definePass({
  name: "flat-transposes",
  description: "Makes transposes that move nothing reshapes, and joins reshapes.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args }) => {
      const perm = permOf(value);
      const x = build.value(args[0]);
      const isReshape =
        value.op === "reshape" || (perm !== undefined && movesNothing(x.shape, perm));
      if (!isReshape) return undefined;
      const source = x.kind === "op" && x.op === "reshape" ? build.value(x.args[0]) : x;
      const isSame =
        source.shape.length === value.shape.length &&
        source.shape.every((extent, axis) => extent === value.shape[axis]);
      return isSame ? source.id : build.op("reshape", [source.id], { shape: value.shape });
    }),
});
