import { assert } from "../../base/index.ts";
import { fitsSigned, type Interval, intersect, laneFor } from "./interval.ts";
import { type FunctionBuilder, type I32, i64x2, type V128, v128 } from "./wasm/index.ts";

/** Samples that one register of 32-bit lanes holds, and that one Vec stands for. */
export const samplesPerVec = 4;

/** Bits of the lanes in which a code is kept. */
export type Lane = 32 | 64;

/**
 * The codes of one element for four samples, in registers: one of 32-bit lanes, or two of 64-bit lanes.
 * Every code lies within the interval, which is proven; the lanes hold it as it is, sign-extended.
 * Parts are locals or constants, so that they may be read more than once.
 */
export interface Vec extends Interval {
  readonly lane: Lane;
  readonly parts: readonly V128[];
}

const partsOf = { 32: [0], 64: [0, 1] } as const;

/** Applies an instruction to every part and keeps the results. */
export function mapParts(
  f: FunctionBuilder,
  vecs: readonly Vec[],
  interval: Interval,
  part: (...parts: V128[]) => V128,
): Vec {
  const { lane } = vecs[0];
  assert(
    vecs.every((vec) => vec.lane === lane),
    "lanes of different width meet",
  );
  const parts = partsOf[lane].map((i) => f.bind(part(...vecs.map((vec) => vec.parts[i]))));
  return makeVec(lane, parts, interval);
}

export function makeVec(lane: Lane, parts: readonly V128[], { lo, hi }: Interval): Vec {
  return { lane, parts, lo, hi };
}

/** The same number in all samples. */
export function constantVec(value: bigint, lane: Lane = laneFor({ lo: value, hi: value })): Vec {
  const parts = partsOf[lane].map(() => splatConstant(value, lane));
  return makeVec(lane, parts, { lo: value, hi: value });
}

/** A register with the low bits of a number in every lane. */
export function splatConstant(value: bigint, lane: Lane): V128 {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const bits = BigInt.asUintN(lane, value);
  for (let at = 0; at < 16; at += lane / 8) {
    if (lane === 32) view.setUint32(at, Number(bits), true);
    else view.setBigUint64(at, bits, true);
  }
  return v128.const(bytes);
}

const evenWords = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];

/**
 * Brings a vec to lanes of a width. Widening keeps the code; narrowing keeps it modulo 2^32, which is
 * the code itself only where that fits.
 */
export function toLane(f: FunctionBuilder, vec: Vec, lane: Lane): Vec {
  if (vec.lane === lane) return vec;
  if (lane === 64) {
    const [x] = vec.parts;
    return makeVec(64, [f.bind(i64x2.extendLow32(x)), f.bind(i64x2.extendHigh32(x))], vec);
  }
  const [low, high] = vec.parts;
  return makeVec(32, [f.bind(v128.shuffle(low, high, evenWords))], vec);
}

/** Takes note of a proven interval, and goes to 32-bit lanes where it allows that. */
export function settle(f: FunctionBuilder, vec: Vec, proven: Interval): Vec {
  const known = { ...vec, ...intersect(vec, proven) };
  return fitsSigned(known, 32) ? toLane(f, known, 32) : known;
}

/** Bytes of one Vec in memory. */
export function vecBytes(lane: Lane): number {
  return (samplesPerVec * lane) / 8;
}

export function loadVec(
  f: FunctionBuilder,
  address: I32,
  offset: number,
  lane: Lane,
  interval: Interval,
): Vec {
  const parts = partsOf[lane].map((i) => f.bind(v128.load(address, offset + 16 * i)));
  return makeVec(lane, parts, interval);
}

/** Stores a vec, in lanes of its value; those may be wider. */
export function storeVec(
  f: FunctionBuilder,
  address: I32,
  offset: number,
  vec: Vec,
  lane: Lane,
): void {
  toLane(f, vec, lane).parts.forEach((part, i) => {
    f.storeVector(address, offset + 16 * i, part);
  });
}
