import {
  type ConstValue,
  constantSide,
  isDense,
  isExact,
  perColumn,
  rewriteGraph,
} from "../ir/index.ts";
import { makeTensor, sameShape } from "../tensor/index.ts";
import { definePass } from "./pass.ts";

/**
 * Makes a constant that is added to each column the bias of the product (matrix product or convolution), where it starts the
 * accumulator and costs no operation of its own.
 *
 *     "m" = matmul("x", "W")        "y" = matmul("x", "W", "c")
 *     "y" = add("m", "c")
 */
export const foldBias = definePass({
  name: "fold-bias",
  description: "Makes constants that are added to a matrix product its bias.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args, isUsedOnce }) => {
      if (value.op !== "add" && value.op !== "sub") return undefined;
      const sides = constantSide(args.map((id) => build.value(id)));
      if (sides === undefined || (value.op === "sub" && !sides.isRight)) return undefined;
      const { constant, other } = sides;
      if (!isDense(other, (id) => build.value(id)) || !isUsedOnce(other.id)) return undefined;
      const [x, w, b] = other.args;
      const weights = build.value(w) as ConstValue;
      const isInteger = weights.dtype === "int" && constant.dtype === "int";
      // A product of integers has no place for fractions.
      if (isExact(weights) && !isInteger) return undefined;
      const columns = other.shape.at(-1) as number;
      const added = perColumn(constant, columns);
      if (added === undefined || !sameShape(other.shape, value.shape)) return undefined;
      const sign = value.op === "sub" ? -1 : 1;
      const before = b === undefined ? undefined : (build.value(b) as ConstValue).data.data;
      const data = added.map((element, i) => sign * element + (before?.[i] ?? 0));
      build.from(other.origin);
      const bias = build.constant(
        makeTensor([columns], data, isInteger ? "int" : "float"),
        constant.id,
      );
      return build.op(other.op, [x, w, bias], other.attrs);
    }),
});
