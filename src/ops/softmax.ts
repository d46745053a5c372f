import { type Builder, constantSide, defineComposite, type ValueId } from "../ir/index.ts";
import { type DType, makeTensor } from "../tensor/index.ts";
import { normalizeAxis, splitAtAxis } from "./family/broadcast.ts";

interface SoftmaxAttrs {
  readonly axis: number;
  readonly [key: string]: number;
}

/** What is below this in a constant that is added takes a score out of the running. */
const farBelow = -1e4;

/** How far below the least score those come that are masked: exp(-64) is less than any table holds. */
const maskedDistance = 64;

/**
 * Masks are mostly written as the addition of a constant with minus infinities, or the least float32, which
 * no format reaches. The scores that they meet come a little below all others instead.
 */
function unmask(build: Builder, x: ValueId, axis: number): ValueId {
  const sum = build.value(x);
  if (sum.kind !== "op" || sum.op !== "add") return x;
  const sides = constantSide(sum.args.map((id) => build.value(id)));
  if (sides === undefined || sides.constant.data.data.every((value) => value > farBelow)) return x;
  const { constant, other } = sides;
  const like = (values: Float64Array, dtype: DType) =>
    build.constant(makeTensor(constant.shape, values, dtype));
  const isSeen = constant.data.data.map((value) => Number(value > farBelow));
  const bias = constant.data.data.map((value, i) => (isSeen[i] === 1 ? value : 0));
  const scores = build.op("add", [other.id, like(bias, "float")]);
  const reduce = { axis, keepdims: true, last: false };
  const least = build.op("sub", [
    build.op("reduce_min", [scores], reduce),
    build.constant(makeTensor([], [maskedDistance])),
  ]);
  const hidden = isSeen.map((seen) => 1 - seen);
  return build.op("add", [
    build.op("mask", [scores, like(isSeen, "bool")]),
    build.op("mask", [least, like(hidden, "bool")]),
  ]);
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
  madeOf: ["reduce_max", "sub", "exp_neg", "reduce_sum", "reciprocal", "mul"],
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
    const scores = unmask(build, x, along);
    const top = build.op("reduce_max", [scores], reduce);
    const distance = build.op("sub", [top, scores]);
    const power = build.op("exp_neg", [distance]);
    const sum = build.op("reduce_sum", [power], reduce);
    const inverse = build.op("reciprocal", [sum], { min: 1, max: shape[along] ?? 1 });
    return build.op("mul", [power, inverse]);
  },
});
