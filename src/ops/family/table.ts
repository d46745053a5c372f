import { type Precision, realToCode } from "../../fixed/index.ts";
import { type Attrs, definePrimitive, type Op, type Quant, Ranges } from "../../ir/index.ts";
import { type PrecisionAttrs, readPrecision } from "./precision-attrs.ts";

/** What one function of a real number adds to the family. */
export interface TableSpec<A extends Attrs> {
  readonly name: string;
  readonly summary: string;
  readonly float: (x: number, attrs: A) => number;
  /** Where the function still changes; beyond it the argument may be saturated. */
  readonly domain: (attrs: A) => readonly [number, number];
  /** Set where the function is steep near zero: it may be the sum of several tables then. */
  readonly isSteep?: boolean;
}

/**
 * One table of several whose sum is the function. `bottom` limits the argument; `until` is where the
 * section ends, and `last` the last code before it: there the table is zero, as the one above goes on.
 */
export interface SectionAttrs {
  readonly bottom?: number;
  readonly until?: number;
  readonly last?: number;
}

function sectionOf(f: (x: number) => number, { bottom, until, last }: SectionAttrs) {
  return (x: number): number => {
    if (last !== undefined && x >= last) return 0;
    const y = f(bottom === undefined ? x : Math.max(x, bottom));
    return until === undefined ? y : y - f(until);
  };
}

/** The code of a result. A pole saturates to the end of the range that its sign names. */
function codeOf(y: number, { format, rounding, overflow }: Precision): bigint {
  const isPole = !Number.isFinite(y * 2 ** format.frac);
  return realToCode(y, format, rounding, isPole && overflow === "WRAP" ? "SAT" : overflow);
}

/** Codes of the function for every code of the argument from `lo` to `hi`, each correctly rounded. */
function tabulate(
  float: (x: number) => number,
  from: Quant,
  to: Precision,
): { lo: number; values: Float64Array } {
  const [lo, hi] = from.ranges.hull().map(Number);
  const values = Float64Array.from({ length: hi - lo + 1 }, (_, i) =>
    Number(codeOf(float((lo + i) * 2 ** -from.format.frac), to)),
  );
  return { lo, values };
}

/**
 * Functions of one number as a table over the exact format of the argument, correctly rounded, the same
 * table in every back end.
 */
export function defineTable<A extends Attrs>(spec: TableSpec<A>): Op {
  const meaning = (attrs: A) => sectionOf((x) => spec.float(x, attrs), attrs as SectionAttrs);
  const table = (from: Quant, attrs: A) =>
    tabulate(meaning(attrs), from, readPrecision(attrs as unknown as PrecisionAttrs));
  return definePrimitive<A>({
    name: spec.name,
    summary: spec.summary,
    words: ["table"],
    swapTranspose: (perm, attrs) => ({ perm, attrs }),
    lossy: true,
    indexDomain: spec.domain,
    ...(spec.isSteep && { isSteep: true }),
    type: ([x]) => ({ shape: x.shape, dtype: "float" }),
    float: ([x], attrs) => ({
      shape: x.shape,
      dtype: "float",
      data: x.data.map(meaning(attrs)),
    }),
    narrow: () => [true],
    quant: ([x], attrs) => {
      const { values } = table(x.quant, attrs);
      let [lo, hi] = [values[0], values[0]];
      for (const value of values) {
        lo = Math.min(lo, value);
        hi = Math.max(hi, value);
      }
      const { format } = readPrecision(attrs as unknown as PrecisionAttrs);
      return { format, ranges: Ranges.all(BigInt(lo), BigInt(hi)) };
    },
    fixed: ([x], [arg], attrs) => {
      const to = readPrecision(attrs as unknown as PrecisionAttrs);
      const f = meaning(attrs);
      return x.map((code) => codeOf(f(Number(code) * 2 ** -arg.quant.format.frac), to));
    },
    kernel: ([x], attrs) => ({ kind: "table", ...table(x.quant, attrs) }),
  });
}
