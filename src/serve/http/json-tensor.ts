import {
  type Datatype,
  datatypeBytes,
  type InputSlot,
  type OutputTensor,
  type ServeError,
} from "../core/index.ts";
import { badJson } from "./http-error.ts";

/** Range of the integer types that JSON numbers are checked against. */
const ranges: Readonly<Partial<Record<Datatype, readonly [number, number]>>> = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffff_ffff],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x8000_0000, 0x7fff_ffff],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/**
 * Writes an input's `data`, flat or nested, into its slot.
 * @throws ServeError INVALID_ARG for a value that the datatype cannot have, or a wrong number of them
 */
export function fillFromJson(data: unknown, slot: InputSlot): void {
  if (slot.datatype === "FP16" || slot.datatype === "BF16") {
    throw badJson(
      `sending ${slot.datatype} data via JSON is not supported. Please use the binary data format ` +
        `for input '${slot.name}'`,
    );
  }
  if (!Array.isArray(data)) throw badJson(`'data' of input '${slot.name}' must be an array`);
  const values = flat(data, slot.name);
  if (slot.datatype === "BYTES") {
    fillStrings(values, slot);
    return;
  }
  const size = datatypeBytes[slot.datatype];
  const into = slot.open(values.length * size);
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  for (let at = 0; at < values.length; at++) writeValue(view, at * size, slot, values[at]);
}

const maxDepth = 100;

/** The elements in order. Rows are seldom nested, so the common case is no copy. */
function flat(data: readonly unknown[], name: string, depth = 0): readonly unknown[] {
  if (depth > maxDepth) throw badJson(`'data' of input '${name}' is nested too deeply`);
  if (!data.some(Array.isArray)) return data;
  const values: unknown[] = [];
  for (const item of data) {
    if (!Array.isArray(item)) throw badJson(`'data' of input '${name}' mixes arrays and values`);
    for (const value of flat(item, name, depth + 1)) values.push(value);
  }
  return values;
}

function writeValue(view: DataView, at: number, slot: InputSlot, value: unknown): void {
  const { datatype } = slot;
  if (datatype === "BOOL") {
    if (typeof value !== "boolean" && value !== 0 && value !== 1) throw wrongValue(slot, value);
    view.setUint8(at, Number(value));
    return;
  }
  if (typeof value !== "number") throw wrongValue(slot, value);
  if (datatype === "FP32") view.setFloat32(at, value, true);
  else if (datatype === "FP64") view.setFloat64(at, value, true);
  else {
    const [least, greatest] = ranges[datatype] as readonly [number, number];
    if (!Number.isInteger(value) || value < least || value > greatest)
      throw wrongValue(slot, value);
    const size = datatypeBytes[datatype];
    if (size === 1) view.setUint8(at, value);
    else if (size === 2) view.setUint16(at, value, true);
    else if (size === 4) view.setUint32(at, value, true);
    else view.setBigInt64(at, BigInt(value), true);
  }
}

function wrongValue(slot: InputSlot, value: unknown): ServeError {
  const hint =
    typeof value === "number" && !Number.isSafeInteger(value) && datatypeBytes[slot.datatype] === 8
      ? "; JSON cannot say it exactly, use the binary data format"
      : "";
  const text = (JSON.stringify(value) ?? "undefined").slice(0, 60);
  return badJson(
    `unable to parse 'data': ${text} is no ${slot.datatype} for input '${slot.name}'${hint}`,
  );
}

function fillStrings(values: readonly unknown[], slot: InputSlot): void {
  const elements = values.map((value) => {
    if (typeof value !== "string") throw wrongValue(slot, value);
    return Buffer.from(value);
  });
  const into = slot.open(elements.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.length, true);
    into.set(element, at + 4);
    at += 4 + element.length;
  }
}

/**
 * An output's elements as JSON text, in one flat array.
 * @throws ServeError for numbers that JSON has no word for
 */
export function jsonOfOutput({ name, datatype, bytes }: OutputTensor): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (datatype === "BYTES") return JSON.stringify(stringsOf(view, bytes));
  if (datatype === "FP16" || datatype === "BF16") {
    throw badJson(
      `sending ${datatype} data via JSON is not supported. Please use the binary data format for ` +
        `output '${name}'`,
    );
  }
  const size = datatypeBytes[datatype];
  const texts: string[] = new Array(bytes.length / size);
  for (let at = 0; at < texts.length; at++) {
    const value = readers[datatype](view, at * size);
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw badJson(`output '${name}' has a ${value}; use the binary data format for it`);
    }
    texts[at] = String(value);
  }
  return `[${texts.join(",")}]`;
}

type NumericDatatype = Exclude<Datatype, "BYTES" | "FP16" | "BF16">;

const readers: Readonly<
  Record<NumericDatatype, (view: DataView, at: number) => number | bigint | boolean>
> = {
  BOOL: (view, at) => view.getUint8(at) !== 0,
  UINT8: (view, at) => view.getUint8(at),
  UINT16: (view, at) => view.getUint16(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  UINT64: (view, at) => view.getBigUint64(at, true),
  INT8: (view, at) => view.getInt8(at),
  INT16: (view, at) => view.getInt16(at, true),
  INT32: (view, at) => view.getInt32(at, true),
  INT64: (view, at) => view.getBigInt64(at, true),
  FP32: (view, at) => view.getFloat32(at, true),
  FP64: (view, at) => view.getFloat64(at, true),
};

function stringsOf(view: DataView, bytes: Uint8Array): string[] {
  const texts: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint32(at, true);
    texts.push(Buffer.from(bytes.buffer, bytes.byteOffset + at + 4, length).toString());
    at += 4 + length;
  }
  return texts;
}
