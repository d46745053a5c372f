import type { Format } from "../fixed/index.ts";

/** A part of a table's domain that has a table of its own. */
export interface Section {
  /** Of the index: from zero to the end of the section, at a step that suits it. */
  readonly index: Format;
  /** Below it the table does not change any more; the last section goes down to zero. */
  readonly bottom?: number;
  /** End of the section, where the table is zero; the first section has the function itself. */
  readonly until?: number;
}

/** Octaves that one table covers to within 2^-8 of its least argument, at least one. */
const octavesOf = (tableBits: number): number => Math.max(1, tableBits - 8);

/** More tables than these cost more than they bring. */
const maxSections = 8;

/**
 * Sections for a function that is steep near zero (1 / x, log x), where its argument spans many octaves: one
 * table with equal steps would know the small ones badly. With cuts b1 > b2 > ... and x limited to each
 * section by saturation,
 *
 *     f(x) = f(x in b1..) + (f(x in b2..b1) - f(b1)) + (f(x in ..b2) - f(b2))
 *
 * Nothing where one table will do.
 *
 * @param lo least argument that matters, above zero
 * @param hi greatest one
 */
export function sections(lo: number, hi: number, tableBits: number, finest: number): Section[] {
  const top = Math.ceil(Math.log2(hi));
  const octaves = octavesOf(tableBits);
  const count = Math.min(maxSections, Math.ceil((top - Math.log2(lo)) / octaves));
  if (!(lo > 0) || !(count > 1)) return [];
  return Array.from({ length: count }, (_, k) => {
    const exponent = top - k * octaves;
    const frac = Math.min(tableBits - exponent, finest);
    return {
      index: { signed: false, width: Math.max(1, frac + exponent), frac },
      ...(k < count - 1 && { bottom: 2 ** (exponent - octaves) }),
      ...(k > 0 && { until: 2 ** exponent }),
    };
  });
}
