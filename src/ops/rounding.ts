import { roundReal, shiftRound } from "../fixed/index.ts";
import type { Op } from "../ir/index.ts";
import { defineMonotone } from "./family/unary.ts";

/** Integers as real numbers: what floor and its kind give, with no bits below the point. */
function defineRounding(name: string, summary: string, rounding: "TRN" | "RND_CONV"): Op {
  return defineMonotone({
    name,
    summary,
    float: (x) => roundReal(x, rounding) + 0,
    fixed: (x, frac) => shiftRound(x, Math.max(frac, 0), rounding),
    frac: (frac) => Math.min(frac, 0),
    word: "requantize",
    kernel: (x, _attrs, to) => ({
      kind: "requantize",
      shift: Math.max(x.quant.format.frac, 0),
      rounding,
      overflow: "SAT",
      signed: to.format.signed,
      width: to.format.width,
    }),
  });
}

/**
 * The greatest integer that is not above x. The import makes Ceil of it, as -floor(-x).
 *
 * @see https://onnx.ai/onnx/operators/onnx__Floor.html
 */
export const floor = defineRounding("floor", "The greatest integer that is not above x.", "TRN");

/**
 * The nearest integer, the even one of two.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Round.html
 */
export const round = defineRounding(
  "round",
  "The nearest integer, the even one of two.",
  "RND_CONV",
);
