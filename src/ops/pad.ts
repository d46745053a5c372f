import { fail } from "../base/index.ts";
import { type ArgType, definePrimitive, Ranges } from "../ir/index.ts";
import { type Shape, shapeText } from "../tensor/index.ts";
import { unpermuted } from "./family/broadcast.ts";
import { padIndex } from "./family/window.ts";

interface PadAttrs {
  /** Elements put before each axis, then behind each; none negative. */
  readonly pads: readonly number[];
  /** The real number that fills them. */
  readonly value: number;
  readonly [key: string]: number | readonly number[];
}

const padded = (x: Shape, { pads }: PadAttrs): Shape => {
  if (pads.length !== 2 * x.length || pads.some((n) => !Number.isInteger(n) || n < 0)) {
    fail("N2F_OP_ATTRIBUTE", `pads [${pads}] do not fit ${shapeText(x)}`);
  }
  return x.map((extent, axis) => extent + pads[axis] + pads[axis + x.length]);
};

const indexOf = ({ shape }: ArgType, { pads }: PadAttrs): Int32Array =>
  padIndex(shape, pads.slice(0, shape.length), pads.slice(shape.length));

/** The fill as a code of x's binary point, to the nearest; an infinite one becomes a bound of 62 bits. */
const fillCode = (value: number, frac: number): bigint => {
  const limit = 2 ** 61;
  return BigInt(Math.max(-limit, Math.min(limit, Math.round(value * 2 ** frac))));
};

/**
 * x with a constant number around it. The number takes the argument's binary point, so it is off by at
 * most half a step of it. The import makes other kinds of padding a `gather` of each axis.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Pad.html
 */
export const pad = definePrimitive<PadAttrs>({
  name: "pad",
  summary: "x with a constant number around it.",
  words: ["gather"],
  type: ([x], attrs) => ({ shape: padded(x.shape, attrs), dtype: x.dtype }),
  float: ([x], attrs) => {
    const shape = padded(x.shape, attrs);
    const index = indexOf(x, attrs);
    const data = new Float64Array(index.length);
    for (let i = 0; i < data.length; i++) data[i] = index[i] < 0 ? attrs.value : x.data[index[i]];
    return { shape, dtype: x.dtype, data };
  },
  narrow: () => [false],
  swapTranspose: (perm, { pads, value }) => ({
    perm,
    attrs: {
      pads: [
        ...unpermuted(pads.slice(0, perm.length), perm),
        ...unpermuted(pads.slice(perm.length), perm),
      ],
      value,
    },
  }),
  quant: ([x], attrs) => {
    const { format, ranges } = x.quant;
    const index = indexOf(x, attrs);
    const fill = fillCode(attrs.value, format.frac);
    const around = (lo: bigint, hi: bigint) =>
      [lo < fill ? lo : fill, hi > fill ? hi : fill] as const;
    const columns = x.shape.at(-1) ?? 1;
    const isLarge = index.length > 2 ** 16 && columns % ranges.period === 0;
    if (isLarge && attrs.pads[x.shape.length - 1] + (attrs.pads.at(-1) ?? 0) === 0) {
      // One interval for each channel, the fill with it: an interval for each element would be much.
      const wide = ranges.map(around);
      return { format: wide.format(format.frac), ranges: wide };
    }
    const moved = Ranges.each(index.length, (i) =>
      index[i] < 0 ? [fill, fill] : [ranges.lo(index[i]), ranges.hi(index[i])],
    );
    return { format: moved.format(format.frac), ranges: moved };
  },
  fixed: ([x], [arg], attrs) => {
    const fill = fillCode(attrs.value, arg.quant.format.frac);
    return Array.from(indexOf(arg, attrs), (from) => (from < 0 ? fill : x[from]));
  },
  kernel: ([x], attrs) => ({
    kind: "gather",
    index: indexOf(x, attrs),
    fill: fillCode(attrs.value, x.quant.format.frac),
  }),
});
