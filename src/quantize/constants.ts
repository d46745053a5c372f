import { type Precision, realToCode } from "../fixed/index.ts";
import { constQuant, formatOfCodes, type Quant } from "../ir/index.ts";
import { makeTensor, type Tensor } from "../tensor/index.ts";

/** A constant as codes, in the narrowest format that holds them. */
export interface QuantizedConstant {
  readonly codes: Tensor;
  readonly quant: Quant;
}

/**
 * Rounds a constant into a precision, then drops the factors of two that all codes share: a weight that
 * was trained to six bits takes six bits, whatever was allowed.
 */
export function quantizeConstant(
  data: Tensor,
  { format, rounding, overflow }: Precision,
): QuantizedConstant {
  const codes = data.data.map((value) => Number(realToCode(value, format, rounding, overflow)));
  return packConstant(data, codes, format.frac);
}

/** Codes at a binary point, brought to the coarsest point that still holds them all. */
export function packConstant(like: Tensor, codes: Float64Array, frac: number): QuantizedConstant {
  const spare = sharedTwos(codes);
  const reduced = spare === 0 ? codes : codes.map((code) => code / 2 ** spare);
  const tensor = makeTensor(like.shape, reduced, like.dtype);
  return { codes: tensor, quant: constQuant(tensor, formatOfCodes(reduced, frac - spare)) };
}

/** How often all codes can be halved. Zero for a constant that is zero throughout. */
function sharedTwos(codes: Float64Array): number {
  let least = Infinity;
  for (const code of codes) {
    if (code === 0) continue;
    let [rest, twos] = [Math.abs(code), 0];
    while (rest % 2 === 0 && twos < least) {
      rest /= 2;
      twos++;
    }
    least = Math.min(least, twos);
    if (least === 0) return 0;
  }
  return Number.isFinite(least) ? least : 0;
}
