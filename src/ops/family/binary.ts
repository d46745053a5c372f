import {
  type ArgType,
  type BinaryKernel,
  definePrimitive,
  type Op,
  type QuantArg,
  Ranges,
} from "../../ir/index.ts";
import { type DType, sizeOf } from "../../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./broadcast.ts";

type Interval = readonly [bigint, bigint];

/** What one binary element-wise operator adds to the family. */
export interface BinarySpec {
  readonly name: string;
  readonly summary: string;
  readonly fn: BinaryKernel["fn"];
  readonly float: (a: number, b: number) => number;
  readonly fixed: (a: bigint, b: bigint) => bigint;
  readonly interval: (a: Interval, b: Interval) => Interval;
  /**
   * `align`: both sides are brought to the finer binary point. `add`: the points add up, as in a
   * product.
   */
  readonly points: "align" | "add";
  /** Whether the arguments must be narrowed first, so that the result does not grow without bound. */
  readonly narrow: boolean;
}

/** Numbers of both kinds together are real, and truth values count as numbers. */
const joined = (a: DType, b: DType): DType =>
  a === "float" || b === "float" ? "float" : a === "int" || b === "int" ? "int" : "bool";

/** Element-wise operators of two values, with the broadcasting of numpy. Results are exact. */
export function defineBinary(spec: BinarySpec): Op {
  const shifts = (args: readonly QuantArg[]): readonly [number, number] => {
    if (spec.points === "add") return [0, 0];
    const frac = Math.max(args[0].quant.format.frac, args[1].quant.format.frac);
    return [frac - args[0].quant.format.frac, frac - args[1].quant.format.frac];
  };
  const resultFrac = (args: readonly QuantArg[]): number => {
    const [a, b] = args.map((arg) => arg.quant.format.frac);
    return spec.points === "add" ? a + b : Math.max(a, b);
  };
  const indices = (args: readonly ArgType[]) => {
    const shape = broadcastShapes(args[0].shape, args[1].shape);
    const a = broadcastIndex(args[0].shape, shape);
    const b = broadcastIndex(args[1].shape, shape);
    return {
      shape,
      size: sizeOf(shape),
      a,
      b,
      at: (map: Int32Array | undefined, i: number) => map?.[i] ?? i,
    };
  };

  return definePrimitive({
    name: spec.name,
    summary: spec.summary,
    words: ["binary"],
    swapTranspose: (perm, attrs) => ({ perm, attrs }),
    type: (args) => ({
      shape: broadcastShapes(args[0].shape, args[1].shape),
      dtype: joined(args[0].dtype, args[1].dtype),
    }),
    float: (args) => {
      const { shape, size, a, b, at } = indices(args);
      const data = new Float64Array(size);
      for (let i = 0; i < size; i++)
        data[i] = spec.float(args[0].data[at(a, i)], args[1].data[at(b, i)]);
      return { shape, dtype: joined(args[0].dtype, args[1].dtype), data };
    },
    narrow: () => [spec.narrow, spec.narrow],
    quant: (args) => {
      const { size, a, b, at } = indices(args);
      const [shiftA, shiftB] = shifts(args).map(BigInt);
      const [ra, rb] = [args[0].quant.ranges, args[1].quant.ranges];
      const period = commonPeriod(args, size);
      const ranges = Ranges.each(period, (i) => {
        const [ia, ib] = [at(a, i), at(b, i)];
        return spec.interval(
          [ra.lo(ia) << shiftA, ra.hi(ia) << shiftA],
          [rb.lo(ib) << shiftB, rb.hi(ib) << shiftB],
        );
      });
      const frac = resultFrac(args);
      return { format: ranges.format(frac), ranges };
    },
    fixed: ([x, y], quants) => {
      const { size, a, b, at } = indices(quants);
      const [shiftA, shiftB] = shifts(quants).map(BigInt);
      return Array.from({ length: size }, (_, i) =>
        spec.fixed(x[at(a, i)] << shiftA, y[at(b, i)] << shiftB),
      );
    },
    kernel: (args) => {
      const { a, b } = indices(args);
      const [shiftA, shiftB] = shifts(args);
      return {
        kind: "binary",
        fn: spec.fn,
        a: { arg: 0, shift: shiftA, ...(a && { index: a }) },
        b: { arg: 1, shift: shiftB, ...(b && { index: b }) },
      };
    },
  });
}

/**
 * Elements after which the intervals of a result repeat. Those of an argument that is the last axes of the
 * result, or broadcasts along leading axes alone, repeat as its own do.
 */
function commonPeriod(args: readonly QuantArg[], size: number): number {
  let period = 1;
  for (const { shape, quant } of args) {
    const own = sizeOf(shape);
    const isSuffix = isTrailing(shape, args);
    if (quant.ranges.isUniform) continue;
    const step = isSuffix && own % quant.ranges.period === 0 ? quant.ranges.period : size;
    if (period % step === 0) continue;
    if (step % period !== 0) return size;
    period = step;
  }
  return period;
}

/** Whether a shape is, after ones in front, the last axes of what it is broadcast to. */
function isTrailing(shape: readonly number[], args: readonly ArgType[]): boolean {
  const to = broadcastShapes(...args.map((arg) => arg.shape));
  const first = shape.findIndex((extent) => extent !== 1);
  if (first < 0) return true;
  const rest = shape.slice(first);
  return rest.every((extent, i) => extent === to[to.length - rest.length + i]);
}
