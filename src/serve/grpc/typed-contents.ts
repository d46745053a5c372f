import { type Datatype, datatypeBytes, type InputSlot, ServeError } from "../core/index.ts";
import { FieldReader, malformed, wireType } from "./protobuf.ts";

/** The field of `InferTensorContents` for a datatype; FP16 and BF16 have none. */
const fieldOf: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  INT8: 2,
  INT16: 2,
  INT32: 2,
  INT64: 3,
  UINT8: 4,
  UINT16: 4,
  UINT32: 4,
  UINT64: 5,
  FP32: 6,
  FP64: 7,
  BYTES: 8,
  FP16: 0,
  BF16: 0,
};

/**
 * Writes an input's typed contents into its slot, as the raw bytes that would have said the same.
 * Packed floats are those bytes already.
 *
 * @throws ServeError INVALID_ARG for a field of another datatype or a wrong number of elements
 * @throws GrpcError INVALID_ARGUMENT for what is no protocol buffer
 */
export function fillFromContents(contents: FieldReader, slot: InputSlot, model: string): void {
  const pieces = collectPieces(contents, slot, model);
  const elementBytes = datatypeBytes[slot.datatype];
  if (slot.datatype === "BYTES") {
    fillStrings(contents.bytes, pieces, slot);
  } else if (slot.datatype === "FP32" || slot.datatype === "FP64") {
    const byteLength = pieces.reduce((sum, { start, end }) => sum + (end - start), 0);
    const into = slot.open(byteLength);
    let at = 0;
    for (const { start, end } of pieces) {
      into.set(contents.bytes.subarray(start, end), at);
      at += end - start;
    }
  } else {
    let count = 0;
    for (const { start, end } of pieces) count += countVarints(contents.bytes, start, end);
    const into = slot.open(count * elementBytes);
    fillVarints(contents.bytes, pieces, into, slot.datatype);
  }
}

interface Piece {
  readonly start: number;
  readonly end: number;
}

/** Where the elements lie: one piece where they are packed, one for each element where not. */
function collectPieces(contents: FieldReader, slot: InputSlot, model: string): Piece[] {
  const wanted = fieldOf[slot.datatype];
  const pieces: Piece[] = [];
  while (contents.next()) {
    if (contents.field > 8) {
      contents.skip();
      continue;
    }
    if (contents.field !== wanted) {
      throw new ServeError(
        "INVALID_ARG",
        `unexpected explicit tensor data for input tensor '${slot.name}' for model '${model}' ` +
          `of type '${slot.datatype}'${wanted === 0 ? "; send it as raw_input_contents" : ""}`,
      );
    }
    if (contents.wire === wireType.LEN) {
      const piece = contents.span();
      const isWhole = (size: number) => (piece.end - piece.start) % size === 0;
      if ((wanted === 6 && !isWhole(4)) || (wanted === 7 && !isWhole(8))) {
        throw malformed("a packed field ends within an element");
      }
      pieces.push(piece);
    } else {
      const isFixed = wanted === 6 || wanted === 7;
      contents.expect(isFixed ? (wanted === 6 ? wireType.I32 : wireType.I64) : wireType.VARINT);
      if (wanted === 8) throw malformed("bytes_contents are not length-delimited");
      const start = contents.at;
      contents.skip();
      pieces.push({ start, end: contents.at });
    }
  }
  return pieces;
}

function countVarints(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) if (bytes[at] < 0x80) count++;
  if (end > start && bytes[end - 1] >= 0x80) throw malformed("a packed field ends within a number");
  return count;
}

function fillVarints(
  bytes: Buffer,
  pieces: readonly Piece[],
  into: Uint8Array,
  datatype: Datatype,
): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const size = datatypeBytes[datatype];
  let at = 0;
  for (const { start, end } of pieces) {
    const reader = new FieldReader(bytes, start, end);
    for (; reader.at < end; at += size) {
      if (size === 8) view.setBigUint64(at, reader.uint64(), true);
      else writeSmall(view, at, reader, datatype);
    }
  }
}

/** Elements of at most 32 bits; negative numbers stand on the wire as 64-bit ones. */
function writeSmall(view: DataView, at: number, reader: FieldReader, datatype: Datatype): void {
  const start = reader.at;
  let value = reader.uint();
  if (value > Number.MAX_SAFE_INTEGER) {
    reader.at = start;
    value = Number(BigInt.asIntN(64, reader.uint64()));
  }
  if (datatype === "BOOL") view.setUint8(at, value === 0 ? 0 : 1);
  else if (datatypeBytes[datatype] === 1) view.setUint8(at, value);
  else if (datatypeBytes[datatype] === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
}

/** Each element's length in front of it, as raw BYTES have it. */
function fillStrings(bytes: Buffer, pieces: readonly Piece[], slot: InputSlot): void {
  const into = slot.open(pieces.reduce((sum, { start, end }) => sum + 4 + end - start, 0));
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  let at = 0;
  for (const { start, end } of pieces) {
    view.setUint32(at, end - start, true);
    into.set(bytes.subarray(start, end), at + 4);
    at += 4 + end - start;
  }
}
