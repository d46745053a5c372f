import { type ArgType, type Attrs, definePrimitive, type Op, Ranges } from "../../ir/index.ts";
import type { Shape } from "../../tensor/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { isIdentity } from "./broadcast.ts";

/** What one operator that only moves elements adds to the family. */
export interface GatherSpec<A extends Attrs> {
  readonly name: string;
  readonly summary: string;
  readonly shape: (x: Shape, attrs: A) => Shape;
  /** For each element of the result, the index of the element it is. */
  readonly index: (x: Shape, attrs: A) => Int32Array;
  /** As operators have it. */
  readonly swapTranspose?: Op<A>["swapTranspose"];
}

/** Operators of one value that move elements and change none: wires in hardware. */
export function defineGather<A extends Attrs>(spec: GatherSpec<A>): Op {
  const index = (args: readonly ArgType[], attrs: A) => spec.index(args[0].shape, attrs);
  return definePrimitive<A>({
    name: spec.name,
    summary: spec.summary,
    words: ["gather"],
    ...(spec.swapTranspose && { swapTranspose: spec.swapTranspose }),
    type: ([x], attrs) => ({ shape: spec.shape(x.shape, attrs), dtype: x.dtype }),
    float: ([x], attrs) => {
      const map = spec.index(x.shape, attrs);
      const data = new Float64Array(map.length);
      for (let i = 0; i < data.length; i++) data[i] = x.data[map[i]];
      return { shape: spec.shape(x.shape, attrs), dtype: x.dtype, data };
    },
    narrow: () => [false],
    quant: (args, attrs) => {
      const { format, ranges } = args[0].quant;
      if (ranges.isUniform) return { format, ranges };
      const map = index(args, attrs);
      if (isIdentity(map, sizeOf(args[0].shape))) return { format, ranges };
      const period = keepsPeriod(map, ranges.period) ? ranges.period : map.length;
      const moved = Ranges.each(period, (i) => [ranges.lo(map[i]), ranges.hi(map[i])]);
      return { format, ranges: moved };
    },
    fixed: ([x], quants, attrs) => Array.from(index(quants, attrs), (from) => x[from]),
    kernel: (args, attrs) => {
      const map = index(args, attrs);
      return isIdentity(map, sizeOf(args[0].shape))
        ? { kind: "gather" }
        : { kind: "gather", index: map };
    },
  });
}

/** Whether moved elements repeat their places within a period: those of channels that are last mostly do. */
export function keepsPeriod(map: Int32Array, period: number): boolean {
  for (let i = period; i < map.length; i++) {
    if (map[i] % period !== map[i - period] % period) return false;
  }
  return map.length % period === 0;
}
