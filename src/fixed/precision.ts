import { fail } from "../base/index.ts";
import { type Format, formatText, makeFormat } from "./format.ts";
import { type Overflow, overflows, type Rounding, roundings } from "./round.ts";

/** A format together with how numbers come into it. */
export interface Precision {
  readonly format: Format;
  readonly rounding: Rounding;
  readonly overflow: Overflow;
}

/** Chosen once for the whole product and written into every manifest. */
export const defaultRounding: Rounding = "RND";
export const defaultOverflow: Overflow = "SAT";

const pattern =
  /^(?:ap_)?(u?)(fixed|int)\s*<\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?(?:,\s*([A-Z_]+)\s*)?(?:,\s*([A-Z_]+)\s*)?>$/;

/**
 * Reads hls4ml's notation: `fixed<16,6>`, `ap_fixed<16,6,RND,SAT>`, `ufixed<8,0>`, `ap_int<8>`.
 * Rounding and overflow default to RND and SAT (ap_fixed's own defaults, TRN and WRAP, must be written).
 *
 * @throws N2F_OPTION_INVALID
 */
export function parsePrecision(text: string, at?: string): Precision {
  const match = pattern.exec(text.trim());
  const place = at === undefined ? {} : { at };
  const hint =
    "Write fixed<W,I> with W bits in all and I of them above the point, for example fixed<16,6> or ap_fixed<8,3,RND,SAT>.";
  if (!match) return fail("N2F_OPTION_INVALID", `"${text}" is not a precision`, { ...place, hint });
  const [, unsigned, kind, widthText, integerText, roundingText, overflowText] = match;
  const width = Number(widthText);
  if (kind === "fixed" && integerText === undefined) {
    fail("N2F_OPTION_INVALID", `"${text}" does not say how many bits stand above the point`, {
      ...place,
      hint,
    });
  }
  if (kind === "int" && integerText !== undefined) {
    fail("N2F_OPTION_INVALID", `"${text}" is an integer type and has no second number`, {
      ...place,
      hint,
    });
  }
  const integer = kind === "int" ? width : Number(integerText);
  return {
    format: makeFormat(unsigned === "", width, width - integer, at),
    rounding: pick(roundingText, roundings, defaultRounding, text, place),
    overflow: pick(overflowText, overflows, defaultOverflow, text, place),
  };
}

/** The notation that `parsePrecision` reads. */
export function precisionText({ format, rounding, overflow }: Precision): string {
  return formatText(format).replace(">", `,${rounding},${overflow}>`);
}

function pick<T extends string>(
  word: string | undefined,
  known: readonly T[],
  otherwise: T,
  text: string,
  place: { at?: string },
): T {
  if (word === undefined) return otherwise;
  const found = known.find((k) => k === word);
  if (found !== undefined) return found;
  return fail("N2F_OPTION_INVALID", `"${word}" in "${text}" is not known here`, {
    ...place,
    hint: `Use one of ${known.join(", ")}.`,
  });
}
