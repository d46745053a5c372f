import { fail } from "../base/index.ts";
import { type ArgType, definePrimitive, Ranges } from "../ir/index.ts";
import { type Shape, shapeText, sizeOf } from "../tensor/index.ts";
import { normalizeAxis, splitAtAxis } from "./family/broadcast.ts";

interface ConcatAttrs {
  readonly axis: number;
  readonly [key: string]: number;
}

function joinedShape(shapes: readonly Shape[], { axis }: ConcatAttrs): Shape {
  if (shapes[0].length === 0) {
    fail("N2F_OP_ATTRIBUTE", "scalars have no axis along which they could be joined");
  }
  const along = normalizeAxis(axis, shapes[0].length);
  for (const shape of shapes) {
    const fits =
      shape.length === shapes[0].length && shape.every((n, i) => i === along || n === shapes[0][i]);
    if (!fits) {
      fail(
        "N2F_OP_ATTRIBUTE",
        `${shapes.map(shapeText).join(" and ")} cannot be joined along axis ${axis}`,
      );
    }
  }
  return shapes[0].map((n, i) => (i === along ? shapes.reduce((sum, s) => sum + s[along], 0) : n));
}

/** For each element of the result: which argument it comes from, and from where in it. */
function origins(
  args: readonly ArgType[],
  attrs: ConcatAttrs,
): { source: Int32Array; index: Int32Array } {
  const shape = joinedShape(
    args.map((arg) => arg.shape),
    attrs,
  );
  const axis = normalizeAxis(attrs.axis, shape.length);
  const source = new Int32Array(sizeOf(shape));
  const index = new Int32Array(sizeOf(shape));
  const { outer } = splitAtAxis(shape, axis);
  const blocks = args.map((arg) => sizeOf(arg.shape.slice(axis)));
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (let a = 0; a < args.length; a++) {
      for (let i = 0; i < blocks[a]; i++, at++) {
        source[at] = a;
        index[at] = o * blocks[a] + i;
      }
    }
  }
  return { source, index };
}

/**
 * The arguments side by side along an axis. Where their binary points differ, quantization brings them to
 * the finest before they come here.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Concat.html
 */
export const concat = definePrimitive<ConcatAttrs>({
  name: "concat",
  summary: "Arguments side by side along an axis.",
  words: ["gather"],
  type: (args, attrs) => ({
    shape: joinedShape(
      args.map((arg) => arg.shape),
      attrs,
    ),
    dtype: args[0].dtype,
  }),
  float: (args, attrs) => {
    const { source, index } = origins(args, attrs);
    const data = Float64Array.from(source, (a, i) => args[a].data[index[i]]);
    return {
      shape: joinedShape(
        args.map((arg) => arg.shape),
        attrs,
      ),
      dtype: args[0].dtype,
      data,
    };
  },
  narrow: (args) => args.map(() => false),
  quant: (args, attrs) => {
    const { source, index } = origins(args, attrs);
    // Where each argument's intervals repeat within its block, those of the result do within all blocks.
    const axis = normalizeAxis(attrs.axis, args[0].shape.length);
    const blocks = args.map((arg) => sizeOf(arg.shape.slice(axis)));
    const repeats = args.every((arg, i) => blocks[i] % arg.quant.ranges.period === 0);
    const period = repeats ? blocks.reduce((a, b) => a + b, 0) : source.length;
    const ranges = Ranges.each(period, (i) => {
      const from = args[source[i]].quant.ranges;
      return [from.lo(index[i]), from.hi(index[i])];
    });
    return { format: ranges.format(args[0].quant.format.frac), ranges };
  },
  fixed: (args, quants, attrs) => {
    const { source, index } = origins(quants, attrs);
    return Array.from(source, (a, i) => args[a][index[i]]);
  },
  kernel: (args, attrs) => ({ kind: "gather", ...origins(args, attrs) }),
  alignPoints: true,
  swapTranspose: (perm, { axis }) => ({
    perm,
    attrs: { axis: perm[normalizeAxis(axis, perm.length)] },
  }),
});
