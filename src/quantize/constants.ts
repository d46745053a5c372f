import { type Precision, realToCode } from "../fixed/index.ts";
import { constQuant, formatOfCodes, type Quant } from "../ir/index.ts";
import { makeTensor, type Tensor } from "../tensor/index.ts";
import { formatForRange } from "./choose-format.ts";

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

/** Bits of a constant's greatest code: doubles hold no more. */
const exactBits = 53;

/**
 * A constant as it is: the coarsest binary point at which all of it is whole. Where the greatest and the least
 * lie more than 53 bits apart, what is below that is rounded off.
 */
export function exactConstant(data: Tensor): QuantizedConstant {
  let reach = 0;
  let frac = 0;
  for (const value of data.data) {
    reach = Math.max(reach, Math.abs(value));
    while (!Number.isInteger(value * 2 ** frac)) frac++;
  }
  while (reach * 2 ** frac >= 2 ** exactBits) frac--;
  const codes = data.data.map((value) => Math.round(value * 2 ** frac));
  return packConstant(data, codes, frac);
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

/** Points of two columns differ by this much at most, so that codes stay far below 53 bits. */
const columnSpread = 24;

/**
 * Weights `[k, n]` with a binary point for each column: `widthBits` bits of each column's own reach. The
 * codes share the finest point, so those of coarser columns end in zeros, which cost nothing in hardware.
 */
export function quantizeColumns(data: Tensor, widthBits: number): QuantizedConstant {
  const columns = data.shape[1];
  const coarsest = formatForRange(...extent(data.data), widthBits).frac;
  const fracs = Array.from({ length: columns }, (_, n) => {
    const column = data.data.filter((_weight, i) => i % columns === n);
    const { frac } = formatForRange(...extent(column), widthBits);
    return Math.min(frac, coarsest + columnSpread);
  });
  const codes = data.data.map((weight, i) => Math.floor(weight * 2 ** fracs[i % columns] + 0.5));
  const shared = Array.from({ length: columns }, (_, n) =>
    sharedTwos(codes.filter((_code, i) => i % columns === n)),
  );
  const finest = fracs.reduce((top, frac, n) => Math.max(top, frac - shared[n]), -Infinity);
  const aligned = codes.map((code, i) => code * 2 ** (finest - fracs[i % columns]));
  return packConstant(data, aligned, finest);
}

/** How often the codes of each column of `[k, n]` can all be halved. */
export function columnTwos(codes: Tensor): number[] {
  const columns = codes.shape[1];
  return Array.from({ length: columns }, (_, n) =>
    sharedTwos(codes.data.filter((_code, i) => i % columns === n)),
  );
}

function extent(data: Float64Array): [number, number] {
  return data.reduce<[number, number]>(([lo, hi], x) => [Math.min(lo, x), Math.max(hi, x)], [0, 0]);
}
