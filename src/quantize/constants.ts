import { type Precision, realsToCodes } from "../fixed/index.ts";
import {
  constQuant,
  forEachWeightRow,
  formatOfCodes,
  type Quant,
  type WeightMatrices,
} from "../ir/index.ts";
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
export function quantizeConstant(data: Tensor, precision: Precision): QuantizedConstant {
  return packConstant(data, realsToCodes(data.data, precision), precision.format.frac);
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
  let joined = 0;
  for (let i = 0; i < codes.length && (joined & 1) === 0; i++) joined |= codes[i];
  return twosOf(joined, () => codes);
}

/** Zeros at the end of integers whose low 32 bits together are `joined`. */
function twosOf(joined: number, codes: () => Float64Array): number {
  if (joined !== 0) return 31 - Math.clz32(joined & -joined);
  const high = codes();
  if (high.every((code) => code === 0)) return 0;
  return 32 + sharedTwos(high.map((code) => code / 2 ** 32));
}

/** Points of two columns differ by this much at most, so that codes stay far below 53 bits. */
export const columnSpread = 24;

/**
 * Weights with a binary point for each column: `widthBits` bits of each column's own reach. The codes share
 * the finest point, so those of coarser columns end in zeros, which cost nothing in hardware.
 *
 * @param spread bits by which the points of two columns differ at most
 */
export function quantizeColumns(
  data: Tensor,
  matrices: WeightMatrices,
  widthBits: number,
  spread = columnSpread,
): QuantizedConstant {
  const { groups, columns } = matrices;
  const weights = data.data;
  const [lo, hi] = [new Float64Array(groups * columns), new Float64Array(groups * columns)];
  forEachWeightRow(matrices, (first, column) => {
    for (let c = 0; c < columns; c++) {
      const weight = weights[first + c];
      if (weight < lo[column + c]) lo[column + c] = weight;
      if (weight > hi[column + c]) hi[column + c] = weight;
    }
  });
  const [least, most] = [lo.reduce((a, b) => Math.min(a, b)), hi.reduce((a, b) => Math.max(a, b))];
  const coarsest = formatForRange(least, most, widthBits).frac;
  const fracs = lo.map((low, n) =>
    Math.min(formatForRange(low, hi[n], widthBits).frac, coarsest + spread),
  );
  const scales = fracs.map((frac) => 2 ** frac);
  const codes = new Float64Array(weights.length);
  forEachWeightRow(matrices, (first, column) => {
    for (let c = 0; c < columns; c++) {
      codes[first + c] = Math.floor(weights[first + c] * scales[column + c] + 0.5);
    }
  });
  const shared = twosOfColumns(codes, matrices);
  const finest = fracs.reduce((top, frac, n) => Math.max(top, frac - shared[n]), -Infinity);
  const gains = fracs.map((frac) => 2 ** (finest - frac));
  if (gains.some((gain) => gain !== 1)) {
    forEachWeightRow(matrices, (first, column) => {
      for (let c = 0; c < columns; c++) codes[first + c] *= gains[column + c];
    });
  }
  return packConstant(data, codes, finest);
}

/** How often the codes of each column can all be halved. */
export function twosOfColumns(codes: Float64Array, matrices: WeightMatrices): number[] {
  const { groups, columns } = matrices;
  const joined = new Int32Array(groups * columns);
  forEachWeightRow(matrices, (first, column) => {
    for (let c = 0; c < columns; c++) joined[column + c] |= codes[first + c];
  });
  return Array.from(joined, (low, n) => twosOf(low, () => columnOf(codes, matrices, n)));
}

function columnOf(codes: Float64Array, matrices: WeightMatrices, n: number): Float64Array {
  const { rows, columns } = matrices;
  const first = Math.floor(n / columns) * rows * columns + (n % columns);
  return Float64Array.from({ length: rows }, (_, r) => codes[first + r * columns]);
}
