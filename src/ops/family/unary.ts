import {
  type Attrs,
  definePrimitive,
  type Kernel,
  type KernelWord,
  type Op,
  type Quant,
  type QuantArg,
} from "../../ir/index.ts";
import type { DType } from "../../tensor/index.ts";

/** What one element-wise operator of one value adds to the family. */
export interface UnarySpec<A extends Attrs> {
  readonly name: string;
  readonly summary: string;
  readonly float: (x: number, attrs: A) => number;
  /** Exact, on codes; monotone, so that it maps intervals too. */
  readonly fixed: (x: bigint, frac: number, attrs: A) => bigint;
  /** Binary point of the result. Default: unchanged. */
  readonly frac?: (frac: number, attrs: A) => number;
  /** The one word of its kernel. */
  readonly word: KernelWord["kind"];
  readonly kernel: (x: QuantArg, attrs: A, to: Quant) => Kernel;
  readonly dtype?: DType;
}

/** Monotone element-wise operators of one value that are exact on codes. */
export function defineMonotone<A extends Attrs>(spec: UnarySpec<A>): Op {
  return definePrimitive<A>({
    name: spec.name,
    summary: spec.summary,
    words: [spec.word],
    swapTranspose: (perm, attrs) => ({ perm, attrs }),
    type: ([x]) => ({ shape: x.shape, dtype: spec.dtype ?? x.dtype }),
    float: ([x], attrs) => ({
      shape: x.shape,
      dtype: spec.dtype ?? x.dtype,
      data: x.data.map((value) => spec.float(value, attrs)),
    }),
    narrow: () => [false],
    quant: ([x], attrs) => {
      const { format, ranges } = x.quant;
      const mapped = ranges.map((lo, hi) => [
        spec.fixed(lo, format.frac, attrs),
        spec.fixed(hi, format.frac, attrs),
      ]);
      const frac = spec.frac?.(format.frac, attrs) ?? format.frac;
      return { format: mapped.format(frac), ranges: mapped };
    },
    fixed: ([x], [arg], attrs) => x.map((code) => spec.fixed(code, arg.quant.format.frac, attrs)),
    kernel: ([x], attrs, to) => spec.kernel(x, attrs, to),
  });
}
