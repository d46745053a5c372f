import { defineComposite } from "../ir/index.ts";
import { normalizeAxis, splitAtAxis } from "./family/broadcast.ts";

interface SoftmaxAttrs {
  readonly axis: number;
  readonly [key: string]: number;
}

/**
 * exp(x) / sum(exp(x)) along an axis.
 *
 * Made of: the maximum; the distance from it, which is never negative; a table of exp(-distance), never
 * above one; the exact sum, between one and the number of elements; a table of its reciprocal; the
 * product. So no probability exceeds one, and the order of the scores is kept.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Softmax.html
 */
export const softmax = defineComposite<SoftmaxAttrs>({
  name: "softmax",
  summary: "exp(x) / sum(exp(x)) along an axis.",
  type: ([{ shape, dtype }], { axis }) => {
    normalizeAxis(axis, shape.length);
    return { shape, dtype };
  },
  float: ([x], { axis }) => {
    const { outer, length, inner } = splitAtAxis(x.shape, normalizeAxis(axis, x.shape.length));
    const data = new Float64Array(x.data.length);
    for (let i = 0; i < outer * inner; i++) {
      const start = Math.floor(i / inner) * length * inner + (i % inner);
      let [top, sum] = [-Infinity, 0];
      for (let k = 0; k < length; k++) top = Math.max(top, x.data[start + k * inner]);
      for (let k = 0; k < length; k++) {
        const at = start + k * inner;
        data[at] = Math.exp(x.data[at] - top);
        sum += data[at];
      }
      for (let k = 0; k < length; k++) data[start + k * inner] /= sum;
    }
    return { ...x, data };
  },
  decompose: (build, [x], { axis }) => {
    const { shape } = build.value(x);
    const along = normalizeAxis(axis, shape.length);
    const reduce = { axis: along, keepdims: true, last: false };
    const top = build.op("reduce_max", [x], reduce);
    const distance = build.op("sub", [top, x]);
    const power = build.op("exp_neg", [distance]);
    const sum = build.op("reduce_sum", [power], reduce);
    const inverse = build.op("reciprocal", [sum], { min: 1, max: shape[along] ?? 1 });
    return build.op("mul", [power, inverse]);
  },
});
