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
 * Multiplies a constant factor of each column into the weights: half of what a BatchNormalization comes
 * to.
 *
 *     "m" = matmul("x", "W", "b")        "y" = matmul("x", "W*c", "b*c")
 *     "y" = mul("m", "c")
 */
export const foldScale = definePass({
  name: "fold-scale",
  description: "Multiplies constant factors of a matrix product into its weights.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args, isUsedOnce }) => {
      if (value.op !== "mul") return undefined;
      const sides = constantSide(args.map((id) => build.value(id)));
      if (sides === undefined) return undefined;
      const { constant, other } = sides;
      const find = (id: typeof other.id) => build.value(id);
      if (!isDense(other, find) || !isUsedOnce(other.id)) return undefined;
      const [x, w, b] = other.args;
      const weights = build.value(w) as ConstValue;
      if (isExact(weights)) return undefined; // what is whole stays whole
      const matrices = weightMatrices(other.op, weights.shape) as WeightMatrices;
      const columns = matrices.groups * matrices.columns;
      const factors = perColumn(constant, columns);
      if (factors === undefined || !sameShape(other.shape, value.shape)) return undefined;
      build.from(other.origin);
      const scaled = new Float64Array(weights.data.data.length);
      forEachWeightRow(matrices, (first, column) => {
        for (let c = 0; c < matrices.columns; c++) {
          scaled[first + c] = weights.data.data[first + c] * factors[column + c];
        }
      });
      const scaledArgs = [x, build.constant(makeTensor(weights.shape, scaled), w)];
      if (b !== undefined) {
        const bias = build.value(b) as ConstValue;
        const data = bias.data.data.map((element, i) => element * factors[i]);
        scaledArgs.push(build.constant(makeTensor(bias.shape, data), b));
      }
      return build.op(other.op, scaledArgs, other.attrs);
    }),
});
