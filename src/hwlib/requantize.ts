import type { Format, Overflow, Rounding } from "../fixed/index.ts";
import { defineModule, type ParameterValues } from "./module.ts";

/** x / 2^SHIFT, rounded and limited: `requantize` of `fixed/` for one value, combinational. */
export const requantize = defineModule({
  name: "n2f_requantize",
  file: "arith/n2f_requantize.sv",
  parameters: {
    IN_W: { type: "int", min: 1 },
    IN_SIGNED: { type: "bit" },
    OUT_W: { type: "int", min: 1 },
    OUT_SIGNED: { type: "bit" },
    SHIFT: { type: "int" },
    ROUNDING: { type: "int", min: 0, max: 3 },
    OVERFLOW: { type: "int", min: 0, max: 3 },
  },
  ports: {
    inputs: { x: (p) => p.IN_W },
    outputs: { y: (p) => p.OUT_W },
  },
  uses: [],
  latencyCycles: () => 0,
  intervalCycles: () => 1,
});

/** The module's numbers for the modes of `fixed/`. */
export const roundingCode: Readonly<Record<Rounding, number>> = {
  TRN: 0,
  RND: 1,
  RND_CONV: 2,
  TRN_ZERO: 3,
};

/** `NONE` is for the caller who has proved that nothing overflows. */
export const overflowCode: Readonly<Record<Overflow | "NONE", number>> = {
  SAT: 0,
  SAT_SYM: 1,
  WRAP: 2,
  NONE: 3,
};

/** The parameters that take codes of one format to another. */
export function requantizeParameters(
  from: Format,
  to: Format,
  rounding: Rounding,
  overflow: Overflow | "NONE",
): ParameterValues<typeof requantize.parameters> {
  return {
    IN_W: from.width,
    IN_SIGNED: from.signed,
    OUT_W: to.width,
    OUT_SIGNED: to.signed,
    SHIFT: from.frac - to.frac,
    ROUNDING: roundingCode[rounding],
    OVERFLOW: overflowCode[overflow],
  };
}
