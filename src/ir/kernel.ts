import type { Overflow, Rounding } from "../fixed/index.ts";

/**
 * What a quantized operator does to integers, with every shift written out. An operator describes
 * itself in these few words (its `kernel` facet); from them the emulator's code is generated and the
 * hardware is unrolled, so neither knows operators by name.
 *
 * Elements are numbered in row-major order. `arg` counts the operator's arguments, constants included.
 */
export type Kernel =
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

/** out[i] = argument `source[i]` (0 where absent) at `index[i]`. Reshapes, transposes, slices, joins. */
export interface GatherKernel {
  readonly kind: "gather";
  readonly source?: Int32Array;
  /** Absent: the identity. */
  readonly index?: Int32Array;
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
}

/**
 * out[g, m, n] = (bias[n] << biasShift) + sum over k of a[g, m, k] * b[g, k, n], exact. The offsets of
 * `a` and `b` for group g are `aGroup[g]`, `bGroup[g]`; element strides inside a group are given.
 */
export interface MatmulKernel {
  readonly kind: "matmul";
  readonly groups: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly a: MatmulSide;
  readonly b: MatmulSide;
  /** Argument 2 is the bias: one code for each column, shifted left by this many bits. */
  readonly biasShift?: number;
}

/** Where the elements of one side stand: offset[g] + row * rowStride + column * columnStride. */
export interface MatmulSide {
  readonly offset: Int32Array;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** The channel of an element. */
export function channelOf({ channels, inner }: Channels, element: number): number {
  return Math.floor(element / inner) % channels;
}
