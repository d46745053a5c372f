import type { Format, Overflow, Precision, Rounding } from "../../fixed/index.ts";
import { makeFormat } from "../../fixed/index.ts";
import type { Attrs } from "../../ir/index.ts";

/** How an operator whose result's precision is chosen carries the choice. */
export interface PrecisionAttrs extends Attrs {
  readonly signed: boolean;
  readonly width: number;
  readonly frac: number;
  readonly rounding: string;
  readonly overflow: string;
}

export function precisionAttrs({ format, rounding, overflow }: Precision): PrecisionAttrs {
  return { signed: format.signed, width: format.width, frac: format.frac, rounding, overflow };
}

export function readPrecision(attrs: PrecisionAttrs): Precision {
  const format: Format = makeFormat(attrs.signed, attrs.width, attrs.frac);
  return { format, rounding: attrs.rounding as Rounding, overflow: attrs.overflow as Overflow };
}
