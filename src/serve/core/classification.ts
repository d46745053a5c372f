import type { Datatype } from "./datatype.ts";
import type { OutputTensor } from "./inference.ts";
import { ServeError } from "./serve-error.ts";

/** Reads the numbers of a raw tensor. */
const readers: Partial<Record<Datatype, (view: DataView, i: number) => number>> = {
  UINT8: (view, i) => view.getUint8(i),
  INT8: (view, i) => view.getInt8(i),
  UINT16: (view, i) => view.getUint16(2 * i, true),
  INT16: (view, i) => view.getInt16(2 * i, true),
  UINT32: (view, i) => view.getUint32(4 * i, true),
  INT32: (view, i) => view.getInt32(4 * i, true),
  UINT64: (view, i) => Number(view.getBigUint64(8 * i, true)),
  INT64: (view, i) => Number(view.getBigInt64(8 * i, true)),
  FP32: (view, i) => view.getFloat32(4 * i, true),
  FP64: (view, i) => view.getFloat64(8 * i, true),
};

/**
 * The classification extension: of each row the `top` greatest values, as BYTES "value:index[:label]".
 *
 * @throws ServeError UNSUPPORTED for types that have no order here
 */
export function classify(
  { name, datatype, shape, bytes }: OutputTensor,
  top: number,
  labels: readonly string[] | undefined,
  hasBatch: boolean,
): OutputTensor {
  const read = readers[datatype];
  if (read === undefined) {
    throw new ServeError(
      "UNSUPPORTED",
      `class result not available for output '${name}' due to unsupported type '${datatype}'`,
    );
  }
  const rows = hasBatch ? shape[0] : 1;
  const classes = shape.slice(hasBatch ? 1 : 0).reduce((product, extent) => product * extent, 1);
  const count = Math.min(top, classes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: Buffer[] = [];
  for (let row = 0; row < rows; row++) {
    const values = Array.from({ length: classes }, (_, i) => read(view, row * classes + i));
    const order = values.map((_, i) => i).sort((a, b) => values[b] - values[a] || a - b);
    for (const i of order.slice(0, count)) {
      const label = labels?.[i];
      texts.push(
        Buffer.from(`${values[i].toFixed(6)}:${i}${label === undefined ? "" : `:${label}`}`),
      );
    }
  }
  const packed = Buffer.alloc(texts.reduce((sum, text) => sum + 4 + text.length, 0));
  let at = 0;
  for (const text of texts) {
    at = packed.writeUInt32LE(text.length, at);
    at += text.copy(packed, at);
  }
  return { name, datatype: "BYTES", shape: hasBatch ? [rows, count] : [count], bytes: packed };
}
