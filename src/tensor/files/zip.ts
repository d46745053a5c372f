import { inflateRawSync } from "node:zlib";
import { quote } from "../quote.ts";
import type { Damaged } from "./damaged.ts";

export interface ZipMember {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly checksum: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly headerAt: number;
}

const endMark = 0x06054b50;
const end64Mark = 0x06064b50;
const locator64Mark = 0x07064b50;
const entryMark = 0x02014b50;
const headerMark = 0x04034b50;
const stored = 0;
const deflated = 8;

/**
 * Unpacks a zip archive, one member at a time. The directory at the end is believed only as far as it agrees with the
 * file; nothing is inflated before all declared sizes have been added up, and inflating stops at
 * the declared size. (fflate's own reader walks the directory on trust, inflates past a false size
 * and leaves checksums alone, so that here it only writes.)
 *
 * @param maxBytes what all members together may come to
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3 to 4.5
 */
export function* unzip(bytes: Uint8Array, maxBytes: number, refuse: Damaged): Generator<ZipMember> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = readDirectory(file, refuse);
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  if (total > maxBytes) {
    refuse(
      `the archive unpacks to ${total} bytes; ${maxBytes} are possible`,
      "Split the arrays over several files.",
    );
  }
  for (const entry of entries) yield { name: entry.name, bytes: unpack(file, entry, refuse) };
}

function readDirectory(file: Buffer, refuse: Damaged): Entry[] {
  const { count, start, end } = findDirectory(file, refuse);
  const entries: Entry[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || file.readUInt32LE(at) !== entryMark) {
      refuse(`the archive's directory breaks off after ${i} of ${count} entries`);
    }
    const nameBytes = file.readUInt16LE(at + 28);
    const extraBytes = file.readUInt16LE(at + 30);
    const next = at + 46 + nameBytes + extraBytes + file.readUInt16LE(at + 32);
    if (next > end) refuse(`the archive's directory breaks off after ${i} of ${count} entries`);
    const extraAt = at + 46 + nameBytes;
    const [size, packed, headerAt] = widen(
      [file.readUInt32LE(at + 24), file.readUInt32LE(at + 20), file.readUInt32LE(at + 42)],
      file.subarray(extraAt, extraAt + extraBytes),
    );
    entries.push({
      name: file.toString("utf8", at + 46, extraAt),
      method: file.readUInt16LE(at + 10),
      isEncrypted: (file.readUInt16LE(at + 8) & 1) === 1,
      checksum: file.readUInt32LE(at + 16),
      packedBytes: packed,
      bytes: size,
      headerAt,
    });
    at = next;
  }
  return entries;
}

function findDirectory(
  file: Buffer,
  refuse: Damaged,
): { count: number; start: number; end: number } {
  let at = file.length - 22;
  const lowest = Math.max(0, at - 0xffff);
  while (at >= lowest && file.readUInt32LE(at) !== endMark) at--;
  if (at < lowest) refuse("this is not a zip archive, or its end is missing");
  let count = file.readUInt16LE(at + 10);
  let start = file.readUInt32LE(at + 16);
  const isWide = count === 0xffff || start === 0xffffffff;
  if (isWide && at >= 20 && file.readUInt32LE(at - 20) === locator64Mark) {
    const wideAt = Number(file.readBigUInt64LE(at - 12));
    if (wideAt + 56 > at || file.readUInt32LE(wideAt) !== end64Mark) {
      refuse("the archive's 64-bit directory is missing");
    }
    count = Number(file.readBigUInt64LE(wideAt + 32));
    start = Number(file.readBigUInt64LE(wideAt + 48));
  }
  return { count, start, end: at };
}

/** Sizes that do not fit 32 bits are in a field of their own, in this order, if they are needed. */
function widen(sizes: readonly number[], extra: Buffer): number[] {
  let at = 0;
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== 1) {
    at += 4 + extra.readUInt16LE(at + 2);
  }
  at += 4;
  return sizes.map((size) => {
    if (size !== 0xffffffff || at + 8 > extra.length) return size;
    at += 8;
    return Number(extra.readBigUInt64LE(at - 8));
  });
}

function unpack(file: Buffer, entry: Entry, refuse: Damaged): Uint8Array {
  const { name, method, headerAt } = entry;
  if (entry.isEncrypted)
    refuse(`${quote(name)} is encrypted`, "Write the archive without a password.");
  if (headerAt + 30 > file.length || file.readUInt32LE(headerAt) !== headerMark) {
    refuse(`${quote(name)} is not where the archive's directory says`);
  }
  const start = headerAt + 30 + file.readUInt16LE(headerAt + 26) + file.readUInt16LE(headerAt + 28);
  if (start + entry.packedBytes > file.length) refuse(`${quote(name)} is cut off`);
  const packed = file.subarray(start, start + entry.packedBytes);
  const bytes =
    method === stored
      ? packed
      : method === deflated
        ? inflate(packed, entry, refuse)
        : refuse(`${quote(name)} is packed by method ${method}`, "Use numpy.savez_compressed.");
  if (bytes.length !== entry.bytes || crc32(bytes) !== entry.checksum) {
    refuse(`${quote(name)} does not have the size and checksum that were written with it`);
  }
  return bytes;
}

function inflate(packed: Uint8Array, { name, bytes }: Entry, refuse: Damaged): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(bytes, 1) });
  } catch (error) {
    return refuse(`${quote(name)} cannot be unpacked: ${(error as Error).message}`);
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
