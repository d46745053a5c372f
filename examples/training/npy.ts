import { writeFileSync } from "node:fs";
import type { Table } from "./table.ts";

const preambleBytes = 10;

/**
 * Writes numbers in row-major order as a NumPy file, format version 1.0.
 *
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function writeNpy(
  path: string | URL,
  values: Float32Array | Int32Array,
  shape: readonly number[],
): void {
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (count !== values.length) {
    throw new Error(`${values.length} numbers cannot have the shape [${shape}]`);
  }
  const kind = values instanceof Float32Array ? "<f4" : "<i4";
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const fields = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${axes}), }`;
  // NumPy maps files into memory, so the numbers begin at a multiple of 64 bytes.
  const padding = 63 - ((preambleBytes + fields.length) % 64);
  const header = Buffer.from(`${fields}${" ".repeat(padding)}\n`, "latin1");

  const preamble = Buffer.from("\x93NUMPY\x01\x00\x00\x00", "latin1");
  preamble.writeUInt16LE(header.length, 8);
  writeFileSync(path, Buffer.concat([preamble, header, littleEndianBytes(values)]));
}

export function writeTable(path: string | URL, { rows, columns, values }: Table): void {
  writeNpy(path, values, [rows, columns]);
}

/** The numbers as they lie in NumPy and ONNX files, whatever the byte order of this machine. */
export function littleEndianBytes(values: Float32Array | Int32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  const isFloat = values instanceof Float32Array;
  values.forEach((value, i) => {
    if (isFloat) view.setFloat32(4 * i, value, true);
    else view.setInt32(4 * i, value, true);
  });
  return bytes;
}
