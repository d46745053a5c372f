import { assert, fail } from "../base/index.ts";
import { type Attrs, definePrimitive, type QuantArg, Ranges } from "../ir/index.ts";

interface CodeTableAttrs extends Attrs {
  /** The integer that the first entry is for. */
  readonly lo: number;
  /** Integers. */
  readonly values: readonly number[];
}

function entry(x: number, { lo, values }: CodeTableAttrs): number {
  return values[Math.max(0, Math.min(values.length - 1, x - lo))];
}

/** The integer that a code is: what is looked up has no digits below the point. */
function integerOf(code: number, frac: number): number {
  const integer = code * 2 ** -frac;
  assert(Number.isInteger(integer), `a table of integers is asked for ${integer}`);
  return integer;
}

/** The entries for all codes that can come. */
function tableFor({ quant: { format, ranges } }: QuantArg, attrs: CodeTableAttrs) {
  const [lo, hi] = ranges.hull().map(Number);
  const values = Float64Array.from({ length: hi - lo + 1 }, (_, i) =>
    entry(integerOf(lo + i, format.frac), attrs),
  );
  return { lo, values };
}

/**
 * An integer for each integer from `lo` on: any function between two quantizations, as the model that was quantized
 * computes it. Integers beyond the ends have the entry of the end.
 */
export const codeTable = definePrimitive<CodeTableAttrs>({
  name: "code_table",
  summary: "A constant integer for each integer that x can be.",
  words: ["table"],
  swapTranspose: (perm, attrs) => ({ perm, attrs }),
  type: ([{ shape }], { values }) => {
    if (values.length === 0 || !values.every(Number.isSafeInteger)) {
      fail("N2F_OP_ATTRIBUTE", "a table of integers needs some, and nothing else");
    }
    return { shape, dtype: "int" };
  },
  float: ([{ shape, data }], attrs) => ({
    shape,
    dtype: "int",
    data: data.map((x) => entry(x, attrs)),
  }),
  narrow: () => [false],
  quant: ([x], attrs) => {
    const { values } = tableFor(x, attrs);
    let [least, most] = [values[0], values[0]];
    for (const value of values) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    const ranges = Ranges.all(BigInt(least), BigInt(most));
    return { format: ranges.format(0), ranges };
  },
  fixed: ([x], [{ quant }], attrs) =>
    x.map((code) => BigInt(entry(integerOf(Number(code), quant.format.frac), attrs))),
  kernel: ([x], attrs) => ({ kind: "table", ...tableFor(x, attrs) }),
});
