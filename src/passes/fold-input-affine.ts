import {
  type ConstValue,
  constantSide,
  forEachWeightRow,
  isDense,
  isExact,
  perColumn,
  rewriteGraph,
  type WeightMatrices,
  weightMatrices,
} from "../ir/index.ts";
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
      // What is whole stays whole: only integers meet integers.
      const isInteger = weights.dtype === "int" && constant.dtype === "int";
      if (isExact(weights) && !(isInteger && inner.op !== "mul")) return undefined;
      const matrices = weightMatrices(value.op, weights.shape) as WeightMatrices;
      const channels = other.shape.at(-1) as number;
      const factors = perColumn(constant, channels);
      if (factors === undefined || !sameShape(other.shape, inner.shape)) return undefined;
      const channelOf = rowChannels(matrices, channels);
      const { columns } = matrices;
      if (inner.op === "mul") {
        const data = new Float64Array(weights.data.data.length);
        forEachWeightRow(matrices, (first, column, row) => {
          const factor = factors[channelOf(column, row)];
          for (let c = 0; c < columns; c++) data[first + c] = weights.data.data[first + c] * factor;
        });
        const scaled = build.constant(makeTensor(weights.shape, data), w);
        return build.op(value.op, [other.id, scaled, ...(b === undefined ? [] : [b])], value.attrs);
      }
      // What is added is not added in the padding, whose sums have no share of it.
      const { pads = [] } = value.attrs;
      if ((pads as readonly number[]).some((n) => n > 0)) return undefined;
      const sign = inner.op === "sub" ? -1 : 1;
      const bias = new Float64Array(matrices.groups * columns);
      if (b !== undefined) bias.set((build.value(b) as ConstValue).data.data);
      forEachWeightRow(matrices, (first, column, row) => {
        const added = sign * factors[channelOf(column, row)];
        for (let c = 0; c < columns; c++) bias[column + c] += added * weights.data.data[first + c];
      });
      const dtype = isInteger ? "int" : "float";
      const folded = build.constant(makeTensor([bias.length], bias, dtype), constant.id);
      return build.op(value.op, [other.id, w, folded], value.attrs);
    }),
});

/** The channel of the argument that a row of the weights meets; rows of a window come channel by channel. */
function rowChannels({ groups, columns }: WeightMatrices, channels: number) {
  const each = channels / groups;
  return (column: number, row: number): number => (column / columns) * each + (row % each);
}
