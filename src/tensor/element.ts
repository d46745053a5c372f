import { endianness } from "node:os";
import { unreachable } from "../base/index.ts";
import { bfloat16, float16, smallFloatTable, toSmallFloat } from "./small-float.ts";
import type { DType } from "./tensor.ts";

/** How the numbers of an array are stored in a file. In memory all are doubles (see `Tensor`). */
export type ElementType =
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | "int4"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint4"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool";

export interface ElementInfo {
  readonly dtype: DType;
  /** Width in memory; `bool` takes a byte. */
  readonly bits: 4 | 8 | 16 | 32 | 64;
  readonly signed: boolean;
}

/** Every element type and what it is. */
export const elementTypes: Readonly<Record<ElementType, ElementInfo>> = {
  float16: { dtype: "float", bits: 16, signed: true },
  bfloat16: { dtype: "float", bits: 16, signed: true },
  float32: { dtype: "float", bits: 32, signed: true },
  float64: { dtype: "float", bits: 64, signed: true },
  int4: { dtype: "int", bits: 4, signed: true },
  int8: { dtype: "int", bits: 8, signed: true },
  int16: { dtype: "int", bits: 16, signed: true },
  int32: { dtype: "int", bits: 32, signed: true },
  int64: { dtype: "int", bits: 64, signed: true },
  uint4: { dtype: "int", bits: 4, signed: false },
  uint8: { dtype: "int", bits: 8, signed: false },
  uint16: { dtype: "int", bits: 16, signed: false },
  uint32: { dtype: "int", bits: 32, signed: false },
  uint64: { dtype: "int", bits: 64, signed: false },
  bool: { dtype: "bool", bits: 8, signed: false },
};

/** Most numbers that one file may bring: 4 GiB of doubles. More is taken for a damaged length. */
export const maxElements = 2 ** 29;

/** Most axes of an array in a file; numpy has the same limit. */
export const maxRank = 64;

export type ByteOrder = "little" | "big";

const hostOrder: ByteOrder = endianness() === "LE" ? "little" : "big";

/** Bytes that an array takes in a file; two of the four-bit types share one. */
export function byteCount(type: ElementType, count: number): number {
  return Math.ceil((count * elementTypes[type].bits) / 8);
}

/**
 * Numbers from bytes. `bytes` has exactly `byteCount(type, count)` of them, at any alignment.
 * Every byte but 0 is a true `bool`.
 * @param wide stands in for, or throws on, a 64-bit integer beyond +-(2^53 - 1)
 */
export function decodeElements(
  bytes: Uint8Array,
  type: ElementType,
  count: number,
  wide: (value: bigint) => number,
  order: ByteOrder = "little",
): Float64Array {
  const { bits, signed } = elementTypes[type];
  const width = bits < 8 ? 1 : bits / 8;
  const misaligned = bytes.byteOffset % width !== 0;
  const swapped = width > 1 && order !== hostOrder;
  const host = misaligned || swapped ? new Uint8Array(bytes) : bytes;
  if (swapped) swapBytes(host, bits);
  const at = [host.buffer, host.byteOffset, host.byteLength / width] as const;
  switch (type) {
    case "float64":
      return new Float64Array(new Float64Array(...at));
    case "float32":
      return new Float64Array(new Float32Array(...at));
    case "float16":
      return lookUp(new Uint16Array(...at), smallFloatTable(float16));
    case "bfloat16":
      return lookUp(new Uint16Array(...at), smallFloatTable(bfloat16));
    case "int8":
      return new Float64Array(new Int8Array(...at));
    case "int16":
      return new Float64Array(new Int16Array(...at));
    case "int32":
      return new Float64Array(new Int32Array(...at));
    case "uint8":
      return new Float64Array(new Uint8Array(...at));
    case "uint16":
      return new Float64Array(new Uint16Array(...at));
    case "uint32":
      return new Float64Array(new Uint32Array(...at));
    case "int64":
    case "uint64":
      return decodeWords(new Uint32Array(host.buffer, host.byteOffset, 2 * count), signed, wide);
    case "int4":
    case "uint4":
      return decodeNibbles(host, count, signed);
    case "bool":
      return Float64Array.from(host, (byte) => (byte === 0 ? 0 : 1));
    default:
      return unreachable(type);
  }
}

/**
 * Little-endian bytes from numbers. Floats are rounded to the nearest; an integer type takes only
 * integers of its range.
 * @param misfit throws on a number that the type cannot hold
 */
export function encodeElements(
  data: Float64Array,
  type: ElementType,
  misfit: (value: number, index: number) => never,
): Uint8Array {
  const { dtype, bits } = elementTypes[type];
  if (dtype !== "float") {
    const { low, high } = integerRange(type);
    const fits = (value: number) => value >= low && value <= high && Number.isInteger(value);
    const wrong = data.findIndex((value) => !fits(value));
    if (wrong >= 0) misfit(data[wrong], wrong);
  }
  const bytes = asBytes(data, type);
  if (bits > 8 && hostOrder === "big") swapBytes(bytes, bits);
  return bytes;
}

/** The integers that a type holds and a double holds exactly. */
export function integerRange(type: ElementType): { readonly low: number; readonly high: number } {
  const { dtype, bits, signed } = elementTypes[type];
  if (dtype === "bool") return { low: 0, high: 1 };
  const high = Math.min(2 ** (signed ? bits - 1 : bits) - 1, Number.MAX_SAFE_INTEGER);
  return { low: signed ? Math.max(-(2 ** (bits - 1)), Number.MIN_SAFE_INTEGER) : 0, high };
}

function asBytes(data: Float64Array, type: ElementType): Uint8Array {
  switch (type) {
    case "float64":
      return bytesOf(new Float64Array(data));
    case "float32":
      return bytesOf(new Float32Array(data));
    case "float16":
      return bytesOf(Uint16Array.from(data, (value) => toSmallFloat(value, float16)));
    case "bfloat16":
      return bytesOf(Uint16Array.from(data, (value) => toSmallFloat(value, bfloat16)));
    case "int8":
    case "uint8":
    case "bool":
      return new Uint8Array(data);
    case "int16":
    case "uint16":
      return bytesOf(new Uint16Array(data));
    case "int32":
    case "uint32":
      return bytesOf(new Uint32Array(data));
    case "int64":
    case "uint64":
      return bytesOf(BigInt64Array.from(Array.from(data, BigInt)));
    case "int4":
    case "uint4":
      return encodeNibbles(data);
    default:
      return unreachable(type);
  }
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function swapBytes(bytes: Uint8Array, bits: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bits === 16) buffer.swap16();
  else if (bits === 32) buffer.swap32();
  else buffer.swap64();
}

function lookUp(indices: Uint16Array, table: Float64Array): Float64Array {
  const data = new Float64Array(indices.length);
  for (let i = 0; i < data.length; i++) data[i] = table[indices[i]];
  return data;
}

/** 64-bit integers from pairs of words, without a BigInt unless one is needed. */
function decodeWords(
  words: Uint32Array,
  signed: boolean,
  wide: (value: bigint) => number,
): Float64Array {
  const data = new Float64Array(words.length / 2);
  const lowAt = hostOrder === "little" ? 0 : 1;
  for (let i = 0; i < data.length; i++) {
    const low = words[2 * i + lowAt];
    const high = words[2 * i + 1 - lowAt];
    const value = (signed ? high | 0 : high) * 2 ** 32 + low;
    if (Number.isSafeInteger(value)) {
      data[i] = value;
    } else {
      const bits = (BigInt(high) << 32n) | BigInt(low);
      data[i] = wide(signed ? BigInt.asIntN(64, bits) : bits);
    }
  }
  return data;
}

/** Two elements a byte, the first in the low half. */
function decodeNibbles(bytes: Uint8Array, count: number, signed: boolean): Float64Array {
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const nibble = (bytes[i >> 1] >> (4 * (i & 1))) & 15;
    data[i] = signed && nibble > 7 ? nibble - 16 : nibble;
  }
  return data;
}

function encodeNibbles(data: Float64Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(data.length / 2));
  for (let i = 0; i < data.length; i++) bytes[i >> 1] |= (data[i] & 15) << (4 * (i & 1));
  return bytes;
}
