import { type ConstValue, constantSide, isDense, perColumn, rewriteGraph } from "../ir/index.ts";
import { makeTensor, sameShape } from "../tensor/index.ts";
import { definePass } from "./pass.ts";

/**
 * Moves constants that scale or shift the columns of a matrix product's argument behind it, into weights
 * and bias: a normalization of the inputs costs nothing.
 *
 *     "s" = mul("x", "c")              "y" = matmul("x", "diag(c) W")
 *     "y" = matmul("s", "W")
 *     "s" = add("x", "c")              "y" = matmul("x", "W", "c W")
 *     "y" = matmul("s", "W")
 */
export const foldInputAffine = definePass({
  name: "fold-input-affine",
  description:
    "Moves constant factors and offsets of a matrix product's argument into weights and bias.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args, isUsedOnce }) => {
      const [x, w, b] = args;
      if (!isDense({ ...value, args }, (id) => build.value(id))) return undefined;
      const inner = build.value(x);
      const isAffine = inner.kind === "op" && ["mul", "add", "sub"].includes(inner.op);
      if (!isAffine || !isUsedOnce(x)) return undefined;
      const sides = constantSide(inner.args.map((id) => build.value(id)));
      if (sides === undefined || (inner.op === "sub" && !sides.isRight)) return undefined;
      const { constant, other } = sides;
      const weights = build.value(w) as ConstValue;
      const [rows, columns] = weights.shape;
      const factors = perColumn(constant, rows);
      if (factors === undefined || !sameShape(other.shape, inner.shape)) return undefined;
      if (inner.op === "mul") {
        const data = weights.data.data.map(
          (weight, i) => weight * factors[Math.floor(i / columns)],
        );
        const scaled = build.constant(makeTensor(weights.shape, data), w);
        return build.op("matmul", [other.id, scaled, ...(b === undefined ? [] : [b])]);
      }
      const sign = inner.op === "sub" ? -1 : 1;
      const bias = new Float64Array(columns);
      if (b !== undefined) bias.set((build.value(b) as ConstValue).data.data);
      for (let i = 0; i < weights.data.data.length; i++) {
        bias[i % columns] += sign * factors[Math.floor(i / columns)] * weights.data.data[i];
      }
      return build.op("matmul", [
        other.id,
        w,
        build.constant(makeTensor([columns], bias), constant.id),
      ]);
    }),
});
