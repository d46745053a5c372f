import { type Field, staticTable } from "./hpack-decoder.ts";

/** Numbers of the static table's first entry for each name, and of entries with a value. */
const numbers = new Map<string, number>();
for (const [at, [name, value]] of staticTable.entries()) {
  if (!numbers.has(name)) numbers.set(name, at + 1);
  if (value !== "") numbers.set(`${name} ${value}`, at + 1);
}

/**
 * Fields as a header block. No entry of the table is ever made, so a block means the same on every
 * connection at any time, and those that are sent again and again are encoded once.
 *
 * @param fields ASCII; pseudo-headers first
 */
export function encodeHeaders(fields: readonly Field[]): Buffer {
  const bytes: number[] = [];
  for (const [name, value] of fields) {
    const known = numbers.get(`${name} ${value}`);
    if (known !== undefined && value !== "") {
      putInteger(bytes, 0x80, 7, known);
      continue;
    }
    const number = numbers.get(name) ?? 0;
    putInteger(bytes, 0, 4, number);
    if (number === 0) putText(bytes, name);
    putText(bytes, value);
  }
  return Buffer.from(bytes);
}

/** Tells the peer's decoder that the table stays empty, whatever it allows. */
export const emptyTable = Buffer.from([0x20]);

function putInteger(bytes: number[], pattern: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    bytes.push(pattern | value);
    return;
  }
  bytes.push(pattern | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
}

function putText(bytes: number[], text: string): void {
  putInteger(bytes, 0, 7, text.length);
  for (let at = 0; at < text.length; at++) bytes.push(text.charCodeAt(at) & 0xff);
}
