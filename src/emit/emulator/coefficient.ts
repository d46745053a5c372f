import { type DataPool, encodeIntegers } from "./data-pool.ts";
import { fitsSigned, hullOf, type Interval, laneFor } from "./interval.ts";
import { gcd, identityIndex } from "./nest.ts";
import type { Lane } from "./vec.ts";
import type { Stream } from "./walk.ts";

/**
 * Constant numbers that element-wise code reads, one for each element. Equal runs and periods, as
 * broadcasts have them, are stored once.
 */
export type Coefficient = UniformCoefficient | TableCoefficient;

export interface UniformCoefficient {
  readonly kind: "uniform";
  readonly value: bigint;
}

export interface TableCoefficient extends Stream {
  readonly kind: "table";
  /** Bits of an entry. */
  readonly lane: Lane;
  readonly interval: Interval;
}

/** A number for each element: a code times 2^shift. */
export interface Scaled {
  readonly codes: Float64Array;
  readonly shift: number;
}

/** Whether all numbers fit 64 bits, as those of a coefficient must. */
export function fitsCoefficient({ codes, shift }: Scaled): boolean {
  let reach = 0;
  for (const code of codes) reach = Math.max(reach, Math.abs(code));
  const most = BigInt(reach) << BigInt(shift);
  return fitsSigned({ lo: -most, hi: most }, 64);
}

/** One number for each element of a value. */
export function makeCoefficient(pool: DataPool, scaled: Scaled): Coefficient {
  const { run, period } = repetition(scaled.codes);
  const values = entries(scaled, period, run);
  if (period === 1) return { kind: "uniform", value: values[0] };
  const index = identityIndex(scaled.codes.length).map((i) => Math.floor(i / run) % period);
  return addTable(pool, values, index, 0);
}

/**
 * The same numbers for a walk over rows, each with columns at a stride: element of row r and column c is
 * row[r] + c * columnStride.
 */
export function makeColumnCoefficient(
  pool: DataPool,
  scaled: Scaled,
  row: Int32Array,
  columns: number,
  columnStride: number,
): Coefficient {
  const { run, period } = repetition(scaled.codes);
  const entry = (element: number): number => Math.floor(element / run) % period;
  if (period === 1) return { kind: "uniform", value: entries(scaled, 1, run)[0] };
  const stride = columns > 1 ? entry(row[0] + columnStride) - entry(row[0]) : 0;
  const isRegular =
    stride >= 0 &&
    row.every((first) => {
      const start = entry(first);
      for (let c = 1; c < columns; c++) {
        if (entry(first + c * columnStride) !== start + c * stride) return false;
      }
      return true;
    });
  if (!isRegular) {
    return addTable(pool, entries(scaled, scaled.codes.length, 1), row, columnStride);
  }
  return addTable(pool, entries(scaled, period, run), row.map(entry), stride);
}

function entries({ codes, shift }: Scaled, count: number, run: number): bigint[] {
  return Array.from({ length: count }, (_, i) => BigInt(codes[i * run]) << BigInt(shift));
}

function addTable(
  pool: DataPool,
  values: readonly bigint[],
  index: Int32Array,
  columnStride: number,
): TableCoefficient {
  const interval = hullOf(values);
  const lane = laneFor(interval);
  const elementBytes = lane === 32 ? 4 : 8;
  const address = pool.add(encodeIntegers(values, values.length, elementBytes));
  return { kind: "table", lane, interval, address, index, elementBytes, columnStride };
}

/** codes[i] = codes[floor(i / run) % period * run], with the longest run and then the least period. */
function repetition(codes: Float64Array): { run: number; period: number } {
  const size = codes.length;
  let run = size;
  for (let i = 1; i < size && run > 1; i++) if (codes[i] !== codes[i - 1]) run = gcd(run, i);
  const count = size / run;
  for (let period = 1; period < count; period++) {
    if (count % period === 0 && hasPeriod(codes, run, period)) return { run, period };
  }
  return { run, period: count };
}

function hasPeriod(codes: Float64Array, run: number, period: number): boolean {
  for (let i = period * run; i < codes.length; i += run) {
    if (codes[i] !== codes[i - period * run]) return false;
  }
  return true;
}
