import { fail } from "../../base/index.ts";
import {
  type ArgType,
  definePrimitive,
  type Op,
  type QuantArg,
  Ranges,
  type ReduceKernel,
} from "../../ir/index.ts";
import { type DType, shapeText } from "../../tensor/index.ts";
import { normalizeAxis, splitAtAxis } from "./broadcast.ts";

export interface ReduceAttrs {
  readonly axis: number;
  readonly keepdims: boolean;
  /** Only for argmax: the last of equals instead of the first. */
  readonly last: boolean;
  readonly [key: string]: number | boolean;
}

type Interval = readonly [bigint, bigint];

/** What one reduction along an axis adds to the family. */
export interface ReduceSpec {
  readonly name: string;
  readonly summary: string;
  readonly fn: ReduceKernel["fn"];
  readonly float: (along: Float64Array, attrs: ReduceAttrs) => number;
  readonly fixed: (along: readonly bigint[], attrs: ReduceAttrs) => bigint;
  readonly interval: (along: readonly Interval[]) => Interval;
  readonly dtype?: DType;
  /** Whether the result counts positions and has no binary point. */
  readonly isIndex?: boolean;
}

/** Reductions along one axis; results are exact. */
export function defineReduce(spec: ReduceSpec): Op {
  const parts = (x: ArgType, { axis }: ReduceAttrs) =>
    splitAtAxis(x.shape, normalizeAxis(axis, x.shape.length));
  const shapeOf = (x: ArgType, { axis, keepdims }: ReduceAttrs) => {
    const along = normalizeAxis(axis, x.shape.length);
    return keepdims
      ? x.shape.map((n, i) => (i === along ? 1 : n))
      : x.shape.filter((_, i) => i !== along);
  };
  /** Calls back for each result with the positions of its elements. */
  const map = <T>(x: ArgType, attrs: ReduceAttrs, result: (positions: number[]) => T): T[] => {
    const { outer, length, inner } = parts(x, attrs);
    return Array.from({ length: outer * inner }, (_, i) => {
      const start = Math.floor(i / inner) * length * inner + (i % inner);
      return result(Array.from({ length }, (__, k) => start + k * inner));
    });
  };
  const typeOf = (x: ArgType, attrs: ReduceAttrs) => {
    if (spec.isIndex && parts(x, attrs).length === 0) {
      fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} has no position along axis ${attrs.axis}`);
    }
    return { shape: shapeOf(x, attrs), dtype: spec.dtype ?? x.dtype };
  };
  return definePrimitive<ReduceAttrs>({
    name: spec.name,
    summary: spec.summary,
    words: ["reduce"],
    type: ([x], attrs) => typeOf(x, attrs),
    float: ([x], attrs) => {
      const { outer, length, inner } = parts(x, attrs);
      const data = new Float64Array(outer * inner);
      const along = new Float64Array(length);
      for (let i = 0; i < data.length; i++) {
        const start = Math.floor(i / inner) * length * inner + (i % inner);
        for (let k = 0; k < length; k++) along[k] = x.data[start + k * inner];
        data[i] = spec.float(along, attrs);
      }
      return { ...typeOf(x, attrs), data };
    },
    narrow: () => [false],
    swapTranspose: (perm, attrs) => {
      const axis = normalizeAxis(attrs.axis, perm.length);
      const from = perm[axis];
      const rest = perm.filter((_, i) => i !== axis).map((p) => (p > from ? p - 1 : p));
      return { perm: attrs.keepdims ? perm : rest, attrs: { ...attrs, axis: from } };
    },
    quant: ([x]: readonly QuantArg[], attrs) => {
      const from = x.quant.ranges;
      const intervals = map(x, attrs, (at) =>
        spec.interval(at.map((i) => [from.lo(i), from.hi(i)])),
      );
      const ranges = Ranges.each(intervals.length, (i) => intervals[i]);
      return { format: ranges.format(spec.isIndex ? 0 : x.quant.format.frac), ranges };
    },
    fixed: ([x], [arg], attrs) =>
      map(arg, attrs, (at) =>
        spec.fixed(
          at.map((i) => x[i]),
          attrs,
        ),
      ),
    kernel: ([x], attrs) => ({
      kind: "reduce",
      fn: spec.fn,
      ...parts(x, attrs),
      ...(attrs.last && { last: true }),
    }),
  });
}
