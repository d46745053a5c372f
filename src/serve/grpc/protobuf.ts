import { GrpcError, grpcStatus } from "./status.ts";

/** Wire types of protocol buffers. @see https://protobuf.dev/programming-guides/encoding/ */
export const wireType = { VARINT: 0, I64: 1, LEN: 2, I32: 5 } as const;

/** A message that is no protocol buffer of its type. */
export function malformed(what: string): GrpcError {
  return new GrpcError(grpcStatus.INVALID_ARGUMENT, `the request is malformed: ${what}`);
}

/**
 * Reads the fields of one message that lies in one piece. Only what the hot path needs; all reads are
 * checked against the end.
 */
export class FieldReader {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
  /** Of the tag that was read last. */
  field = 0;
  wire = 0;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** The same fields in memory of their own. */
  copy(): FieldReader {
    return new FieldReader(Buffer.from(this.bytes.subarray(this.at, this.end)));
  }

  /** Reads the next tag; false at the end. */
  next(): boolean {
    if (this.at === this.end) return false;
    const tag = this.uint();
    if (tag > 0xffff_ffff) throw malformed(`a tag of ${tag}`);
    this.field = Math.floor(tag / 8);
    this.wire = tag & 7;
    if (this.field === 0) throw malformed("a field of number 0");
    return true;
  }

  /** A varint as a number: exact up to 2^53, the nearest double above. */
  uint(): number {
    const { bytes } = this;
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) throw malformed("a number is cut short");
      const byte = bytes[this.at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw malformed("a number of more than 10 bytes");
  }

  /** A varint as the 64 bits it stands for, unsigned. */
  uint64(): bigint {
    const { bytes } = this;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.at >= this.end) throw malformed("a number is cut short");
      const byte = bytes[this.at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed("a number of more than 10 bytes");
  }

  /** An `int64`: a number where that is exact, else a bigint. */
  int(): number | bigint {
    const start = this.at;
    const value = this.uint();
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    this.at = start;
    const exact = BigInt.asIntN(64, this.uint64());
    const number = Number(exact);
    return Number.isSafeInteger(number) ? number : exact;
  }

  /** The bounds of a length-delimited field; `at` goes behind it. */
  span(): { readonly start: number; readonly end: number } {
    const length = this.uint();
    const start = this.at;
    if (length > this.end - start) throw malformed("a field is longer than what is around it");
    this.at = start + length;
    return { start, end: this.at };
  }

  /** A string or bytes field of its own reader: an embedded message. */
  message(): FieldReader {
    const { start, end } = this.span();
    return new FieldReader(this.bytes, start, end);
  }

  string(): string {
    const { start, end } = this.span();
    return this.bytes.toString("utf8", start, end);
  }

  double(): number {
    if (this.end - this.at < 8) throw malformed("a number is cut short");
    this.at += 8;
    return this.bytes.readDoubleLE(this.at - 8);
  }

  /** Passes over a field that nobody knows. */
  skip(): void {
    switch (this.wire) {
      case wireType.VARINT:
        this.uint();
        return;
      case wireType.LEN:
        this.span();
        return;
      case wireType.I64:
      case wireType.I32: {
        const size = this.wire === wireType.I64 ? 8 : 4;
        if (this.end - this.at < size) throw malformed("a number is cut short");
        this.at += size;
        return;
      }
      default:
        throw malformed(`field ${this.field} has wire type ${this.wire}`);
    }
  }

  /** @throws GrpcError INVALID_ARGUMENT if the field that was just met has another wire type */
  expect(wire: number): void {
    if (this.wire !== wire) throw malformed(`field ${this.field} has wire type ${this.wire}`);
  }
}

/** Bytes of a varint of at most 53 bits. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  let size = 3;
  for (let rest = value / 0x20_0000; rest >= 1; rest /= 128) size++;
  return size;
}

/** Writes a varint of at most 53 bits and gives the place behind it. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  let rest = value;
  let place = at;
  while (rest >= 0x80) {
    into[place++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  into[place++] = rest;
  return place;
}
