import type { Interval } from "./interval.ts";
import type { Lane } from "./vec.ts";

/**
 * Memory of one value while a block of samples is computed: codes of one element stand side by side,
 * `stride` samples of them, then those of the next element.
 */
export interface Buffer {
  /** Elements. */
  readonly size: number;
  readonly lane: Lane;
  /** First and last step in which it is needed. */
  readonly first: number;
  last: number;
  /** Known after `placeBuffers`. */
  address: number;
}

/** A value in memory, possibly a part of a larger one. */
export interface Stored {
  readonly kind: "stored";
  readonly buffer: Buffer;
  /** Its first element within the buffer. */
  readonly offset: number;
  readonly interval: Interval;
}

/** A value that is known when code is generated. */
export interface Constant {
  readonly kind: "constant";
  readonly codes: Float64Array;
}

export type Operand = Stored | Constant;

/** Bytes from one element to the next. */
export function elementBytes(lane: Lane, stride: number): number {
  return (stride * lane) / 8;
}

export function addressOf({ buffer, offset }: Stored, stride: number): number {
  return buffer.address + offset * elementBytes(buffer.lane, stride);
}

/**
 * Gives every buffer the lowest address at which no other one is alive at the same time, and tells
 * where the memory ends. Addresses are multiples of 64, a cache line.
 */
export function placeBuffers(buffers: readonly Buffer[], base: number, stride: number): number {
  const bytes = (buffer: Buffer) =>
    Math.ceil((buffer.size * elementBytes(buffer.lane, stride)) / 64) * 64;
  const placed: Buffer[] = [];
  let end = base;
  for (const buffer of buffers.toSorted((a, b) => a.first - b.first)) {
    const rivals = placed
      .filter((other) => other.last >= buffer.first && other.first <= buffer.last)
      .sort((a, b) => a.address - b.address);
    let address = base;
    for (const rival of rivals) {
      if (address + bytes(buffer) <= rival.address) break;
      address = Math.max(address, rival.address + bytes(rival));
    }
    buffer.address = address;
    placed.push(buffer);
    end = Math.max(end, address + bytes(buffer));
  }
  return end;
}
