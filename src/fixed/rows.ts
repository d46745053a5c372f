import { assert } from "../base/index.ts";
import { type CodeLayout, packReals, unpackReals } from "./codes.ts";
import { maxCode, minCode } from "./format.ts";
import { packSimd } from "./rows-simd.ts";

/** Where the rows of one tensor stand in packets: `at + row * strideBytes`, elements without gaps. */
export interface RowPlace {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly strideBytes: number;
}

/**
 * Quantizes `rows` rows of `size` numbers into packets: `packReals` for many packets at once, the very same
 * codes. Formats of up to 32 bits that round half up or down and saturate, which nearly all do, take a loop
 * over typed arrays.
 */
export function packRows(
  values: Float32Array | Float64Array,
  rows: number,
  size: number,
  layout: CodeLayout,
  { bytes, at, strideBytes }: RowPlace,
): void {
  const { format, rounding, overflow, elementBytes } = layout;
  const isDense = strideBytes === size * elementBytes;
  const address = bytes.byteOffset + at;
  const isAligned = address % elementBytes === 0 && strideBytes % elementBytes === 0;
  const isPlain = overflow === "SAT" && format.width <= 32 && elementBytes <= 4;
  if (isAligned && isPlain && (rounding === "RND" || rounding === "TRN")) {
    const elements = (rows - 1) * (strideBytes / elementBytes) + size;
    if (rows === 0 || size === 0) return;
    assert(at + elements * elementBytes <= bytes.byteLength, "rows beyond the end of the buffer");
    const codes = container(bytes.buffer, address, elements, elementBytes, format.signed);
    // The sum with a half is exact for a float32 below 2^53; for a double it is not.
    const isHalfExact = rounding === "RND" && values instanceof Float32Array;
    const round = rounding === "TRN" ? floorRows : isHalfExact ? halfUpRows : halfUpRowsOfDoubles;
    const [lo, hi] = [Number(minCode(format)), Number(maxCode(format))];
    if (isDense && isVectored(values, rows * size, layout)) {
      const { signed } = format;
      const simd = { rounding, signed, elementBytes: elementBytes as 1 | 2 };
      const all = values.length === rows * size ? values : values.subarray(0, rows * size);
      if (packSimd(all as Float32Array, simd, 2 ** format.frac, lo, hi, bytes, at)) return;
    }
    if (isDense) round(values, 1, rows * size, 2 ** format.frac, lo, hi, codes, 0);
    else round(values, rows, size, 2 ** format.frac, lo, hi, codes, strideBytes / elementBytes);
    return;
  }
  if (isDense) {
    packReals(values.subarray(0, rows * size), layout, bytes, at);
    return;
  }
  for (let row = 0; row < rows; row++) {
    packReals(values.subarray(row * size, (row + 1) * size), layout, bytes, at + row * strideBytes);
  }
}

/** Fewer numbers are converted before the vector code is called. */
const leastVectored = 64;

/** Whether the arithmetic of float32 gives the right codes, and it is worth the call. */
function isVectored(
  values: Float32Array | Float64Array,
  elements: number,
  { format, rounding, elementBytes }: CodeLayout,
): boolean {
  if (!(values instanceof Float32Array) || elements < leastVectored) return false;
  // A product that is too small for float32 may lose its sign, which only `floor` asks for.
  const least = rounding === "TRN" ? 0 : -60;
  return elementBytes <= 2 && format.width <= 16 && format.frac >= least && format.frac <= 60;
}

/** The real numbers of `rows` rows out of packets: `unpackReals` for many packets at once. */
export function unpackRows(
  { bytes, at, strideBytes }: RowPlace,
  rows: number,
  size: number,
  layout: Pick<CodeLayout, "format" | "elementBytes">,
  into: Float32Array | Float64Array,
): void {
  const { format, elementBytes } = layout;
  const address = bytes.byteOffset + at;
  if (rows === 0 || size === 0) return;
  if (elementBytes <= 4 && address % elementBytes === 0 && strideBytes % elementBytes === 0) {
    const stride = strideBytes / elementBytes;
    const elements = (rows - 1) * stride + size;
    assert(at + elements * elementBytes <= bytes.byteLength, "rows beyond the end of the buffer");
    const codes = container(bytes.buffer, address, elements, elementBytes, format.signed);
    const step = 2 ** -format.frac;
    if (stride === size) {
      for (let i = 0; i < elements; i++) into[i] = codes[i] * step;
      return;
    }
    for (let row = 0, out = 0; row < rows; row++) {
      for (let i = row * stride, end = i + size; i < end; i++) into[out++] = codes[i] * step;
    }
    return;
  }
  for (let row = 0; row < rows; row++) {
    into.set(unpackReals(bytes, at + row * strideBytes, size, layout), row * size);
  }
}

type Codes = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

/** Little-endian, as all machines are that Node runs on today; the containers are, too. */
function container(
  buffer: ArrayBufferLike,
  address: number,
  elements: number,
  elementBytes: number,
  signed: boolean,
): Codes {
  if (elementBytes === 1) {
    return signed
      ? new Int8Array(buffer, address, elements)
      : new Uint8Array(buffer, address, elements);
  }
  if (elementBytes === 2) {
    return signed
      ? new Int16Array(buffer, address, elements)
      : new Uint16Array(buffer, address, elements);
  }
  return signed
    ? new Int32Array(buffer, address, elements)
    : new Uint32Array(buffer, address, elements);
}

/** Scales, saturates, rounds. NaN passes the comparisons and becomes zero in an integer array. */
type RoundRows = (
  values: Float32Array | Float64Array,
  rows: number,
  size: number,
  scale: number,
  lo: number,
  hi: number,
  codes: Codes,
  stride: number,
) => void;

/** Functions of their own, written out: the engine compiles each for what it does. */
const halfUpRows: RoundRows = (values, rows, size, scale, lo, hi, codes, stride) => {
  for (let row = 0, from = 0; row < rows; row++) {
    for (let to = row * stride, end = to + size; to < end; to++) {
      const scaled = values[from++] * scale;
      codes[to] = scaled > hi ? hi : scaled < lo ? lo : Math.floor(scaled + 0.5);
    }
  }
};

const halfUpRowsOfDoubles: RoundRows = (values, rows, size, scale, lo, hi, codes, stride) => {
  for (let row = 0, from = 0; row < rows; row++) {
    for (let to = row * stride, end = to + size; to < end; to++) {
      const scaled = values[from++] * scale;
      const floor = Math.floor(scaled);
      const code = scaled - floor >= 0.5 ? floor + 1 : floor;
      codes[to] = code > hi ? hi : code < lo ? lo : code;
    }
  }
};

const floorRows: RoundRows = (values, rows, size, scale, lo, hi, codes, stride) => {
  for (let row = 0, from = 0; row < rows; row++) {
    for (let to = row * stride, end = to + size; to < end; to++) {
      const scaled = values[from++] * scale;
      codes[to] = scaled > hi ? hi : scaled < lo ? lo : Math.floor(scaled);
    }
  }
};
