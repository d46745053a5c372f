import { decodeHuffman } from "./huffman.ts";
import { ConnectionError, errorCode } from "./protocol.ts";

/** @see RFC 7541 appendix A */
const staticText = `
:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|
:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|
accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|
content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|
cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|
last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|
server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`;

export type Field = readonly [name: string, value: string];

/** The static table; the first has the number 1. */
export const staticTable: readonly Field[] = staticText
  .replaceAll("\n", "")
  .split("|")
  .map((entry) => {
    const space = entry.indexOf(" ");
    return space === -1 ? [entry, ""] : [entry.slice(0, space), entry.slice(space + 1)];
  });

/** What an entry of the table counts beyond its text. */
const entryBytes = 32;

/**
 * Header blocks of one connection to fields. Each block may change the table for those after it, so all are
 * decoded, also of requests that are refused.
 *
 * @see RFC 7541
 */
export class HpackDecoder {
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  /** Newest last. */
  readonly #table: Field[] = [];
  #tableBytes = 0;
  #limitBytes: number;
  /** Whether the last block left the table as it was. */
  #isUnchanged = false;

  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /**
   * @param maxTableBytes what the peer was told by SETTINGS_HEADER_TABLE_SIZE
   * @param maxListBytes of a block's fields, by SETTINGS_MAX_HEADER_LIST_SIZE; what goes beyond is left out
   */
  constructor(maxTableBytes: number, maxListBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#limitBytes = maxTableBytes;
    this.#maxListBytes = maxListBytes;
  }

  /** Whether the same bytes as in the last block mean the same fields now. */
  get isUnchanged(): boolean {
    return this.#isUnchanged;
  }

  /** @returns the fields in order; undefined if they are more than the limit. @throws ConnectionError */
  decode(block: Buffer): Field[] | undefined {
    this.#bytes = block;
    this.#at = 0;
    this.#isUnchanged = true;
    const fields: Field[] = [];
    let listBytes = 0;
    let hasFields = false;
    while (this.#at < block.length) {
      const first = block[this.#at];
      if ((first & 0xe0) === 0x20) {
        if (hasFields) throw malformed("a table size behind fields");
        this.#resize(this.#integer(5));
        continue;
      }
      hasFields = true;
      const field = this.#field(first);
      listBytes += sizeOf(field);
      // A small block can stand for much: nothing is kept of what is too long.
      if (listBytes <= this.#maxListBytes) fields.push(field);
    }
    return listBytes <= this.#maxListBytes ? fields : undefined;
  }

  #field(first: number): Field {
    if (first >= 0x80) return this.#entry(this.#integer(7));
    const isKept = first >= 0x40;
    const index = this.#integer(isKept ? 6 : 4);
    const name = index === 0 ? this.#text() : this.#entry(index)[0];
    const field: Field = [name, this.#text()];
    if (isKept) this.#add(field);
    return field;
  }

  #entry(index: number): Field {
    const field =
      index <= staticTable.length
        ? staticTable[index - 1]
        : this.#table[this.#table.length - (index - staticTable.length)];
    if (field === undefined) throw malformed(`the entry ${index}, which is not there`);
    return field;
  }

  #add(field: Field): void {
    this.#isUnchanged = false;
    const size = sizeOf(field);
    this.#evict(this.#limitBytes - size);
    if (size > this.#limitBytes) return;
    this.#table.push(field);
    this.#tableBytes += size;
  }

  #resize(limitBytes: number): void {
    if (limitBytes > this.#maxTableBytes) throw malformed("a table larger than allowed");
    this.#isUnchanged = false;
    this.#limitBytes = limitBytes;
    this.#evict(limitBytes);
  }

  #evict(limitBytes: number): void {
    let count = 0;
    while (this.#tableBytes > limitBytes && count < this.#table.length) {
      this.#tableBytes -= sizeOf(this.#table[count++]);
    }
    if (count > 0) this.#table.splice(0, count);
  }

  /** An integer whose first byte has so many bits of it. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw malformed("a number that is too large");
  }

  #text(): string {
    const isHuffman = (this.#bytes[this.#at] & 0x80) !== 0;
    const length = this.#integer(7);
    const [from, to] = [this.#at, this.#at + length];
    if (to > this.#bytes.length) throw malformed("a text that is cut short");
    this.#at = to;
    if (isHuffman) return decodeHuffman(this.#bytes, from, to);
    return this.#bytes.toString("latin1", from, to);
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw malformed("they are cut short");
    return this.#bytes[this.#at++];
  }
}

const sizeOf = ([name, value]: Field): number => name.length + value.length + entryBytes;

const malformed = (what: string) =>
  new ConnectionError(errorCode.COMPRESSION_ERROR, `malformed headers: ${what}`);
