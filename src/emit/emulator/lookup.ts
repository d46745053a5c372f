import type { TableKernel } from "../../ir/index.ts";
import { addVecs, shiftLeft, word64 } from "./arithmetic.ts";
import { type DataPool, encodeIntegers, type IntegerBytes, integerBytes } from "./data-pool.ts";
import { hullOf, type Interval } from "./interval.ts";
import { constantVec, makeVec, mapParts, samplesPerVec, toLane, type Vec } from "./vec.ts";
import { type FunctionBuilder, i32x4, type V128, v128 } from "./wasm/index.ts";

/** A table in the module's data. */
export interface Lookup {
  readonly address: number;
  readonly bytes: IntegerBytes;
  readonly lo: bigint;
  readonly values: Interval;
}

export function planLookup(pool: DataPool, { lo, values }: TableKernel): Lookup {
  const codes = Array.from(values, BigInt);
  const hull = hullOf(codes);
  const bytes = integerBytes(hull);
  const address = pool.add(encodeIntegers(codes, codes.length, bytes));
  return { address, bytes, lo: BigInt(lo), values: hull };
}

/**
 * values[x - lo] for each sample. x lies within the table, as its interval proves; addresses are
 * computed modulo 2^32, so it may even be wider than 32 bits.
 */
export function lookupVec(f: FunctionBuilder, x: Vec, table: Lookup): Vec {
  const { address, bytes, lo, values } = table;
  const scaled = shiftLeft(f, toLane(f, x, 32), Math.log2(bytes), word64);
  const origin = constantVec(BigInt(address) - lo * BigInt(bytes), 32);
  return loadEach(f, addVecs(f, scaled, origin, word64), 0, bytes, values);
}

/** The code at `offset` from an address for each sample; addresses are in 32-bit lanes. */
export function loadEach(
  f: FunctionBuilder,
  { parts: [addresses] }: Vec,
  offset: number,
  bytes: IntegerBytes,
  values: Interval,
): Vec {
  const at = (sample: number) => i32x4.extractLane(addresses, sample);
  if (bytes === 8) {
    const parts = [0, 2].map((first) => {
      const low = f.bind(v128.loadLane(64, at(first), offset, zero, 0));
      return f.bind(v128.loadLane(64, at(first + 1), offset, low, 1));
    });
    return makeVec(64, parts, values);
  }
  const bits = (8 * bytes) as 8 | 16 | 32;
  let codes: V128 = zero;
  for (let sample = 0; sample < samplesPerVec; sample++) {
    codes = f.bind(v128.loadLane(bits, at(sample), offset, codes, (sample * 32) / bits));
  }
  return signExtend(f, makeVec(32, [codes], values), bits);
}

/** The low bits of each 32-bit lane as a signed number. */
function signExtend(f: FunctionBuilder, x: Vec, bits: number): Vec {
  if (bits === 32) return x;
  const up = shiftLeft(f, x, 32 - bits, x);
  return mapParts(f, [up], x, (part) => i32x4.shr(part, 32 - bits));
}

const zero = constantVec(0n, 32).parts[0];
