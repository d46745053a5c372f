import type { Overflow, Rounding } from "../fixed/index.ts";

/**
 * What a quantized operator does to integers, with every shift written out. An operator describes
 * itself in these few words (its `kernel` facet); from them the emulator's code is generated and the
 * hardware is unrolled, so neither knows operators by name.
 *
 * Elements are numbered in row-major order. `arg` counts the operator's arguments, constants included.
 */
export type Kernel = KernelWord | SequenceKernel;

/** One word. Readers of kernels know these alone; `stepsOf` says a sequence in them. */
export type KernelWord =
  | GatherKernel
  | BinaryKernel
  | ClampKernel
  | RequantizeKernel
  | SlopeKernel
  | TableKernel
  | ScaleKernel
  | ThresholdKernel
  | ReduceKernel
  | MatmulKernel;

/** Several words one after the other; the last step makes the result. */
export interface SequenceKernel {
  readonly kind: "sequence";
  readonly steps: readonly KernelStep[];
}

/** One word of a sequence, and what it is applied to. */
export interface KernelStep {
  readonly kernel: KernelWord;
  /** Below the operator's number n of arguments: that argument; from n on: the result of step (number - n). */
  readonly args: readonly number[];
  /** Elements of the result. */
  readonly size: number;
  /** All codes of the result lie in it. */
  readonly lo: bigint;
  readonly hi: bigint;
}

/**
 * out[i] = argument `source[i]` (0 where absent) at `index[i]`, or `fill` where the index is -1. Reshapes,
 * transposes, slices, joins, padding.
 */
export interface GatherKernel {
  readonly kind: "gather";
  readonly source?: Int32Array;
  /** Absent: the identity. */
  readonly index?: Int32Array;
  /** Absent: zero. */
  readonly fill?: bigint;
}

/** One side of a binary kernel: element `index[i]` (or i) of the argument, times 2^shift. */
export interface Operand {
  readonly arg: number;
  readonly shift: number;
  readonly index?: Int32Array;
}

/** out[i] = a[i] fn b[i], exact. */
export interface BinaryKernel {
  readonly kind: "binary";
  readonly fn: "add" | "sub" | "mul" | "max" | "min";
  readonly a: Operand;
  readonly b: Operand;
}

/** out[i] = min(max(x[i], lo), hi). */
export interface ClampKernel {
  readonly kind: "clamp";
  readonly lo: bigint;
  readonly hi: bigint;
}

/** out[i] = limit(shiftRound(x[i], shift)) as `fixed/round.ts` has it; `lo`, `hi` are the format's ends. */
export interface RequantizeKernel {
  readonly kind: "requantize";
  /** Bits dropped; negative: bits gained. */
  readonly shift: number;
  readonly rounding: Rounding;
  readonly overflow: Overflow;
  readonly signed: boolean;
  readonly width: number;
}

/** out[i] = x[i] * slope where x[i] < 0, x[i] * 2^shift elsewhere; `slope` has one entry or one for each. */
export interface SlopeKernel {
  readonly kind: "slope";
  readonly slope: Float64Array;
  readonly shift: number;
}

/** out[i] = values[x[i] - lo]; x[i] is within the table by its proven interval. */
export interface TableKernel {
  readonly kind: "table";
  readonly lo: number;
  readonly values: Float64Array;
}

/**
 * out[i] = offset + clamp(shiftRound(x[i] * m[c] + a[c], shift), lo, hi), where c is the channel of element i.
 * The rounding is `TRN` (a plain shift) unless ties must go to the even number. x * m + a stays below
 * 2^62 in magnitude, by the proven interval.
 */
export interface ScaleKernel extends Channels {
  readonly kind: "scale";
  /** Whole numbers below 2^53, one for each channel. */
  readonly m: Float64Array;
  /** Whole numbers that a double holds. */
  readonly a: Float64Array;
  readonly shift: number;
  readonly rounding: "TRN" | "RND_CONV";
  readonly lo: bigint;
  readonly hi: bigint;
  /** Zero where the rounding is `TRN`: `a` has it. */
  readonly offset: bigint;
}

/**
 * out[i] = base[c] + the number of thresholds of channel c that x[i] has reached: those at or below it, or,
 * where the channel falls, those at or below -x[i]. Codes have at most 63 bits.
 */
export interface ThresholdKernel extends Channels {
  readonly kind: "threshold";
  /** One channel after the other, each ascending; all have `count`, filled up with what no code reaches. */
  readonly thresholds: BigInt64Array;
  readonly count: number;
  readonly base: Float64Array;
  readonly falls: readonly boolean[];
}

/** Parameters for each channel: the channel of element i is floor(i / inner) modulo `channels`. */
export interface Channels {
  readonly channels: number;
  readonly inner: number;
}

/**
 * out[o, n] = fn over k of x[o, k, n] for o < outer, k < length, n < inner. `argmax` and `argmin` give
 * the first k of the extreme value, or the last where `last` is set.
 */
export interface ReduceKernel {
  readonly kind: "reduce";
  readonly fn: "sum" | "max" | "min" | "argmax" | "argmin";
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly last?: boolean;
  /** Windows: result i goes over x[starts[i] + steps[k]] instead, with outer * inner results. */
  readonly windows?: { readonly starts: Int32Array; readonly steps: Int32Array };
}

/** The element that step k of result i of a reduction reads. */
export function reduceElement(kernel: ReduceKernel, i: number, k: number): number {
  const { length, inner, windows } = kernel;
  if (windows !== undefined) return windows.starts[i] + windows.steps[k];
  return (Math.floor(i / inner) * length + k) * inner + (i % inner);
}

/**
 * out[g, m, n] = (bias[g, n] << biasShift) + sum over k of a[g, m, k] * b[g, k, n], exact. Where the
 * elements of `a`, `b` and the result stand is said by their sides.
 */
export interface MatmulKernel {
  readonly kind: "matmul";
  readonly groups: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly a: MatmulSide;
  readonly b: MatmulSide;
  /** Absent: group after group, row after row. */
  readonly out?: MatmulSide;
  /** Argument 2 is the bias: one code for each column, shifted left by this many bits. */
  readonly biasShift?: number;
  /** Column 0 of each group in the bias. Absent: all groups have the same. */
  readonly biasOffset?: Int32Array;
}

/**
 * Where the elements of one side stand: offset[g] + row * rowStride + column * columnStride. Tables take
 * the place of strides where the distances are not equal, as in the windows of a convolution.
 */
export interface MatmulSide {
  readonly offset: Int32Array;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly rows?: Int32Array;
  readonly columns?: Int32Array;
}

export function sideElement(side: MatmulSide, g: number, row: number, column: number): number {
  const { offset, rows, columns, rowStride, columnStride } = side;
  return (
    offset[g] + (rows?.[row] ?? row * rowStride) + (columns?.[column] ?? column * columnStride)
  );
}

/** Where a product's element of some group, row and column stands in the result. */
export function productElement(
  kernel: MatmulKernel,
  g: number,
  row: number,
  column: number,
): number {
  const { m, n, out } = kernel;
  return out === undefined ? (g * m + row) * n + column : sideElement(out, g, row, column);
}

/** Any kernel as steps of single words: what every reader of kernels goes through. */
export function stepsOf(
  kernel: Kernel,
  argCount: number,
  size: number,
  [lo, hi]: readonly [bigint, bigint],
): readonly KernelStep[] {
  if (kernel.kind === "sequence") return kernel.steps;
  const args = Array.from({ length: argCount }, (_, i) => i);
  return [{ kernel, args, size, lo, hi }];
}

/** The channel of an element. */
export function channelOf({ channels, inner }: Channels, element: number): number {
  return Math.floor(element / inner) % channels;
}
