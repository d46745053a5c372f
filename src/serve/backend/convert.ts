import type { PortTensor } from "../../artifact/index.ts";
import type { RowPlace } from "../../fixed/index.ts";
import {
  type CodeLayout,
  limit,
  packCodes,
  packRows,
  unpackCodes,
  unpackRows,
} from "../../fixed/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import type { Datatype } from "../core/datatype.ts";

/** Rows of raw tensor bytes to codes in packets. */
export type PackTensor = (raw: Uint8Array, rows: number, place: RowPlace) => void;
/** Codes in packets to rows of raw tensor bytes. */
export type UnpackTensor = (place: RowPlace, rows: number, raw: Uint8Array) => void;

type Numbers = Float32Array | Float64Array;
type View = (raw: Uint8Array) => ArrayLike<number | bigint>;

const views: Partial<Record<Datatype, View>> = {
  BOOL: (raw) => raw,
  UINT8: (raw) => raw,
  INT8: (raw) => new Int8Array(raw.buffer, raw.byteOffset, raw.byteLength),
  UINT16: (raw) => new Uint16Array(raw.buffer, raw.byteOffset, raw.byteLength / 2),
  INT16: (raw) => new Int16Array(raw.buffer, raw.byteOffset, raw.byteLength / 2),
  UINT32: (raw) => new Uint32Array(raw.buffer, raw.byteOffset, raw.byteLength / 4),
  INT32: (raw) => new Int32Array(raw.buffer, raw.byteOffset, raw.byteLength / 4),
  UINT64: (raw) => new BigUint64Array(raw.buffer, raw.byteOffset, raw.byteLength / 8),
  INT64: (raw) => new BigInt64Array(raw.buffer, raw.byteOffset, raw.byteLength / 8),
  FP16: (raw) => new Uint16Array(raw.buffer, raw.byteOffset, raw.byteLength / 2),
  BF16: (raw) => new Uint16Array(raw.buffer, raw.byteOffset, raw.byteLength / 2),
};

/** A half of IEEE 754 by its bits. Made when first needed. */
let halves: Float32Array | undefined;

function halfTable(): Float32Array {
  if (halves !== undefined) return halves;
  halves = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size =
      exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1024 + fraction) * 2 ** (exponent - 25);
    return bits >> 15 ? -size : size;
  });
  return halves;
}

/** Numbers that are converted together; the scratch memory of one conversion. */
const chunkElements = 4096;

/** Whether a tensor's codes travel as they are. */
function isCodes(port: PortTensor, datatype: Datatype): boolean {
  return port.meaning === "integer" || !["FP16", "FP32", "FP64", "BF16"].includes(datatype);
}

/** Reads the codes of a layout as integers: the real numbers of the same code without a binary point. */
function integerLayout({ format, ...layout }: CodeLayout): CodeLayout {
  return { ...layout, format: { ...format, frac: 0 } };
}

/**
 * How an input's raw bytes become codes: real numbers by the rule of the manifest, integers as they are,
 * limited to what the format holds.
 */
export function packerOf(port: PortTensor, datatype: Datatype): PackTensor {
  const size = sizeOf(port.shape);
  const layout = isCodes(port, datatype) ? integerLayout(port) : port;
  if (datatype === "FP32") {
    return (raw, rows, place) => {
      const numbers = new Float32Array(raw.buffer, raw.byteOffset, rows * size);
      packRows(numbers, rows, size, layout, place);
    };
  }
  if (datatype === "FP64") {
    return (raw, rows, place) => {
      const numbers = new Float64Array(raw.buffer, raw.byteOffset, rows * size);
      packRows(numbers, rows, size, layout, place);
    };
  }
  if (port.format.width > 53) return wideCodes(layout, size, datatype);
  const view = views[datatype] as View;
  const scratchRows = Math.max(1, Math.floor(chunkElements / size));
  // Halves of either kind are float32 numbers, which round faster; integers may need a double.
  const scratch: Numbers =
    datatype === "FP16" || datatype === "BF16"
      ? new Float32Array(scratchRows * size)
      : new Float64Array(scratchRows * size);
  const fill = filler(datatype, scratch);
  return (raw, rows, { bytes, at, strideBytes }) => {
    const elements = view(raw);
    for (let first = 0; first < rows; first += scratchRows) {
      const count = Math.min(scratchRows, rows - first);
      fill(elements, first * size, count * size);
      packRows(scratch, count, size, layout, { bytes, at: at + first * strideBytes, strideBytes });
    }
  };
}

type Fill = (elements: ArrayLike<number | bigint>, from: number, count: number) => void;

function filler(datatype: Datatype, scratch: Numbers): Fill {
  if (datatype === "FP16") {
    const table = halfTable();
    return (elements, from, count) => {
      for (let i = 0; i < count; i++) scratch[i] = table[elements[from + i] as number];
    };
  }
  if (datatype === "BF16") {
    const bits = new Uint32Array(scratch.buffer);
    return (elements, from, count) => {
      for (let i = 0; i < count; i++) bits[i] = (elements[from + i] as number) << 16;
    };
  }
  return (elements, from, count) => {
    for (let i = 0; i < count; i++) scratch[i] = Number(elements[from + i]);
  };
}

/** Codes that no double holds, one by one. */
function wideCodes(layout: CodeLayout, size: number, datatype: Datatype): PackTensor {
  const view = views[datatype] as View;
  return (raw, rows, { bytes, at, strideBytes }) => {
    const elements = view(raw);
    for (let row = 0; row < rows; row++) {
      const codes = Array.from({ length: size }, (_, i) =>
        limit(BigInt(elements[row * size + i]), layout.format, layout.overflow),
      );
      packCodes(codes, layout, bytes, at + row * strideBytes);
    }
  };
}

/** How codes become an output's raw bytes. */
export function unpackerOf(port: PortTensor, datatype: Datatype): UnpackTensor {
  const size = sizeOf(port.shape);
  const layout = isCodes(port, datatype) ? integerLayout(port) : port;
  if (datatype === "FP32") {
    return (place, rows, raw) =>
      unpackRows(
        place,
        rows,
        size,
        layout,
        new Float32Array(raw.buffer, raw.byteOffset, rows * size),
      );
  }
  if (datatype === "FP64") {
    return (place, rows, raw) =>
      unpackRows(
        place,
        rows,
        size,
        layout,
        new Float64Array(raw.buffer, raw.byteOffset, rows * size),
      );
  }
  const view = views[datatype] as (raw: Uint8Array) => { [i: number]: number | bigint };
  const isBig = datatype === "INT64" || datatype === "UINT64";
  const isHalf = datatype === "FP16" || datatype === "BF16";
  const encode = datatype === "FP16" ? encodeHalf : encodeBrain;
  return ({ bytes, at, strideBytes }, rows, raw) => {
    const elements = view(raw);
    const numbers = new Float64Array(size);
    for (let row = 0; row < rows; row++) {
      const place = at + row * strideBytes;
      if (isBig) {
        const codes = unpackCodes(bytes, place, size, layout);
        for (let i = 0; i < size; i++) elements[row * size + i] = codes[i];
        continue;
      }
      unpackRows({ bytes, at: place, strideBytes }, 1, size, layout, numbers);
      for (let i = 0; i < size; i++) {
        elements[row * size + i] = isHalf ? encode(numbers[i]) : numbers[i];
      }
    }
  };
}

const floatBits = new Float32Array(1);
const wordBits = new Uint32Array(floatBits.buffer);

/** The nearest bfloat16, half-way cases to the even one. Results of a network are finite. */
function encodeBrain(value: number): number {
  floatBits[0] = value;
  const bits = wordBits[0];
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The nearest half, half-way cases to the even one; infinite beyond its range. */
function encodeHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 1)));
  const scaled = size / 2 ** (exponent - 10);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const mantissa = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A carry out of the mantissa, or a subnormal that became normal, adds to the exponent by itself.
  return sign | (size < 2 ** -14 ? mantissa : ((exponent + 15) << 10) + (mantissa - 1024));
}
