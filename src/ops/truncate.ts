import { shiftRound } from "../fixed/index.ts";
import { defineMonotone } from "./family/unary.ts";

/**
 * x without its fraction, toward zero, as a Cast from float to an integer type has it.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Cast.html
 */
export const truncate = defineMonotone({
  name: "truncate",
  summary: "x without its fraction, toward zero.",
  dtype: "int",
  float: (x) => Math.trunc(x) + 0,
  fixed: (x, frac) => shiftRound(x, Math.max(frac, 0), "TRN_ZERO"),
  frac: (frac) => Math.min(frac, 0),
  word: "requantize",
  kernel: (x, _attrs, to) => ({
    kind: "requantize",
    shift: Math.max(x.quant.format.frac, 0),
    rounding: "TRN_ZERO",
    overflow: "SAT",
    signed: to.format.signed,
    width: to.format.width,
  }),
});
