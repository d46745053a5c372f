import { type ClientHttp2Session, connect } from "node:http2";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Field,
  HpackDecoder,
  staticTable,
} from "../../../../src/serve/http2/hpack-decoder.ts";
import { emptyTable, encodeHeaders } from "../../../../src/serve/http2/hpack-encoder.ts";
import { codeBits, decodeHuffman } from "../../../../src/serve/http2/huffman.ts";
import { type Headers, Http2Listener } from "../../../../src/serve/http2/index.ts";
import { ConnectionError, errorCode } from "../../../../src/serve/http2/protocol.ts";
import { frontEndOptions } from "../../../support/serve/wires.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const newDecoder = (tableBytes = 4096, listBytes = 64 * 1024) =>
  new HpackDecoder(tableBytes, listBytes);

/** Entries of the dynamic table, newest first. */
function tableOf(decoder: HpackDecoder): Field[] {
  const entries: Field[] = [];
  for (let index = 62; ; index++) {
    try {
      const [field] = decoder.decode(integer(0x80, 7, index)) as Field[];
      entries.push(field);
    } catch {
      return entries;
    }
  }
}

function integer(pattern: number, bits: number, value: number): Buffer {
  const mask = 2 ** bits - 1;
  if (value < mask) return Buffer.from([pattern | value]);
  const bytes = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

const text = (value: string): Buffer =>
  Buffer.concat([integer(0, 7, value.length), Buffer.from(value, "latin1")]);
/** A field that goes into the table. */
const kept = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0x40]), text(name), text(value)]);

/** RFC 7541 appendix B: each byte's code follows from the lengths of all. */
function huffmanCodes(): string[] {
  const codes: string[] = [];
  const symbols = codeBits.map((_, symbol) => symbol);
  symbols.sort((a, b) => codeBits[a] - codeBits[b] || a - b);
  let [code, bits] = [-1n, 0];
  for (const symbol of symbols) {
    code = (code + 1n) << BigInt(codeBits[symbol] - bits);
    bits = codeBits[symbol];
    codes[symbol] = code.toString(2).padStart(bits, "0");
  }
  return codes;
}
const codes = huffmanCodes();

function bitsToBytes(bits: string): Buffer {
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  return Buffer.from((padded.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

const huffman = (bytes: Uint8Array): Buffer =>
  bitsToBytes([...bytes].map((byte) => codes[byte]).join(""));

function refused(block: Buffer, decoder = newDecoder()): void {
  let error: unknown;
  try {
    decoder.decode(block);
  } catch (problem) {
    error = problem;
  }
  expect(error).toBeInstanceOf(ConnectionError);
  expect((error as ConnectionError).code).toBe(errorCode.COMPRESSION_ERROR);
}

describe("RFC 7541, appendix C", () => {
  test.each([
    [
      "C.2.1",
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      "custom-key: custom-header",
      1,
    ],
    ["C.2.2", "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", 0],
    ["C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret", 0],
    ["C.2.4", "82", ":method: GET", 0],
  ])("%s", (_, block, line, entries) => {
    const decoder = newDecoder();
    const [name, value] = line.split(": ");
    expect(decoder.decode(hex(block))).toEqual([[name, value]]);
    expect(tableOf(decoder)).toHaveLength(entries);
  });

  const requests = [
    ":method: GET|:scheme: http|:path: /|:authority: www.example.com",
    ":method: GET|:scheme: http|:path: /|:authority: www.example.com|cache-control: no-cache",
    ":method: GET|:scheme: https|:path: /index.html|:authority: www.example.com|custom-key: custom-value",
  ];
  const responses = [
    ":status: 302|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com",
    ":status: 307|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com",
    ":status: 200|cache-control: private|date: Mon, 21 Oct 2013 20:13:22 GMT|location: https://www.example.com|content-encoding: gzip|set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ];
  const requestTables = [
    ":authority: www.example.com",
    "cache-control: no-cache|:authority: www.example.com",
    "custom-key: custom-value|cache-control: no-cache|:authority: www.example.com",
  ];
  const responseTables = [
    "location: https://www.example.com|date: Mon, 21 Oct 2013 20:13:21 GMT|cache-control: private|:status: 302",
    ":status: 307|location: https://www.example.com|date: Mon, 21 Oct 2013 20:13:21 GMT|cache-control: private",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1|content-encoding: gzip|date: Mon, 21 Oct 2013 20:13:22 GMT",
  ];
  test.each([
    [
      "C.3",
      4096,
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
      requests,
      requestTables,
    ],
    [
      "C.4",
      4096,
      [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ],
      requests,
      requestTables,
    ],
    [
      "C.5",
      256,
      [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
      ],
      responses,
      responseTables,
    ],
    [
      "C.6",
      256,
      [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
      ],
      responses,
      responseTables,
    ],
  ])("%s", (_, tableBytes, blocks, expected, tables) => {
    const decoder = newDecoder(tableBytes);
    const lines = (fields: readonly Field[] | undefined) =>
      fields?.map(([name, value]) => `${name}: ${value}`).join("|");
    for (const [at, block] of blocks.entries()) {
      expect(lines(decoder.decode(hex(block)))).toBe(expected[at]);
      expect(lines(tableOf(decoder))).toBe(tables[at]);
    }
  });
});

describe("integers", () => {
  test.each([
    ["the greatest of the prefix", Buffer.from([0x7f, 0x00]), 127],
    ["128", Buffer.from([0x7f, 0x01]), 128],
    ["zeros in front do no harm", Buffer.from([0x7f, 0x80, 0x80, 0x00]), 127],
    ["16 KiB", integer(0, 7, 16_384), 16_384],
  ])("%s", (_, length, size) => {
    const value = "v".repeat(size);
    const block = Buffer.concat([
      Buffer.from([0x00, 1]),
      Buffer.from("n"),
      length,
      Buffer.from(value),
    ]);
    expect(newDecoder().decode(block)).toEqual([["n", value]]);
  });

  test.each([
    ["without an end", [0xff, 0xff]],
    ["of 5 bytes more", [0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["of 2^32 and zeros", [0xff, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ["of many bytes", [0xff, ...Array(100).fill(0x80), 1]],
  ])("%s", (_, bytes) => {
    refused(Buffer.from(bytes));
  });
});

describe("the table", () => {
  test("the first entries of the static one, and the last", () => {
    expect(staticTable).toHaveLength(61);
    expect(staticTable[1]).toEqual([":method", "GET"]);
    expect(staticTable[15]).toEqual(["accept-encoding", "gzip, deflate"]);
    expect(staticTable[60]).toEqual(["www-authenticate", ""]);
  });

  test("an entry counts 32 bytes more than its text; the oldest goes first", () => {
    const decoder = newDecoder(3 * 40);
    for (const name of ["aaaa", "bbbb", "cccc"]) decoder.decode(kept(name, "1234"));
    expect(tableOf(decoder).map(([name]) => name)).toEqual(["cccc", "bbbb", "aaaa"]);
    decoder.decode(kept("dddd", "12345"));
    expect(tableOf(decoder).map(([name]) => name)).toEqual(["dddd", "cccc"]);
  });

  test("an entry larger than the table empties it, and is a field all the same", () => {
    const decoder = newDecoder(100);
    decoder.decode(kept("a", "1"));
    const long = "v".repeat(80);
    expect(decoder.decode(kept("n", long))).toEqual([["n", long]]);
    expect(tableOf(decoder)).toEqual([]);
  });

  test("a name may come from the entry that the new one pushes out", () => {
    const decoder = newDecoder(80);
    decoder.decode(kept("name", "v".repeat(40)));
    const again = Buffer.concat([integer(0x40, 6, 62), text("w".repeat(40))]);
    expect(decoder.decode(again)).toEqual([["name", "w".repeat(40)]]);
    expect(tableOf(decoder)).toEqual([["name", "w".repeat(40)]]);
  });

  test("size updates: to nothing and back, at the beginning of a block", () => {
    const decoder = newDecoder();
    decoder.decode(kept("a", "1"));
    const updates = Buffer.concat([integer(0x20, 5, 0), integer(0x20, 5, 4096)]);
    expect(decoder.decode(Buffer.concat([updates, kept("b", "2")]))).toEqual([["b", "2"]]);
    expect(tableOf(decoder)).toEqual([["b", "2"]]);
    decoder.decode(integer(0x20, 5, 33));
    expect(tableOf(decoder)).toEqual([]);
    decoder.decode(kept("", "1"));
    expect(tableOf(decoder)).toEqual([["", "1"]]);
  });

  test("whether a block means the same again", () => {
    const decoder = newDecoder();
    decoder.decode(kept("a", "1"));
    expect(decoder.isUnchanged).toBe(false);
    decoder.decode(Buffer.from([0xbe]));
    expect(decoder.isUnchanged).toBe(true);
    decoder.decode(integer(0x20, 5, 100));
    expect(decoder.isUnchanged).toBe(false);
  });

  test("what is too long is left out, and the table is as it should be", () => {
    const decoder = newDecoder(4096, 200);
    const block = Buffer.concat([
      kept("a", "v".repeat(100)),
      kept("b", "w".repeat(100)),
      kept("c", "3"),
    ]);
    expect(decoder.decode(block)).toBeUndefined();
    expect(tableOf(decoder).map(([name]) => name)).toEqual(["c", "b", "a"]);
    // Also where nothing fits.
    refused(
      Buffer.concat([kept("a", "v".repeat(300)), integer(0x20, 5, 0)]),
      newDecoder(4096, 200),
    );
  });

  test("a small block that stands for gigabytes takes neither memory nor long", () => {
    const decoder = newDecoder();
    decoder.decode(kept("n", "v".repeat(4000)));
    const bomb = Buffer.alloc(1024 * 1024, 0xbe);
    const before = process.memoryUsage().heapUsed;
    expect(decoder.decode(bomb)).toBeUndefined();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe("malformed blocks", () => {
  test.each([
    ["the entry 0", [0x80]],
    ["an entry that is not there", [0xbe]],
    ["a name that is not there", [0x7f, 0x00, 0x01, 0x61]],
    ["a table larger than allowed", [...integer(0x20, 5, 4097)]],
    ["a size update behind a field", [0x82, 0x20]],
    ["a name that is cut", [0x40, 0x05, 0x61]],
    ["a value that is cut", [0x40, 0x01, 0x61, 0x05, 0x61]],
    ["no value", [0x40, 0x01, 0x61]],
    ["no name", [0x40]],
    ["a cut integer", [0x40, 0x7f]],
    ["padding of more than 7 bits", [0x40, 0x01, 0x61, 0x82, 0x1f, 0xff]],
    ["padding of zeros", [0x40, 0x01, 0x61, 0x81, 0x18]],
    ["the end mark", [0x40, 0x01, 0x61, 0x84, 0xff, 0xff, 0xff, 0xff]],
    ["a length of 2^40", [0x40, 0x01, 0x61, 0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]],
  ])("%s", (_, bytes) => {
    refused(Buffer.from(bytes));
  });

  test("any bytes are fields or a compression error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          newDecoder().decode(Buffer.from(bytes));
        } catch (error) {
          expect((error as ConnectionError).code).toBe(errorCode.COMPRESSION_ERROR);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("Huffman", () => {
  test("codes of the table in appendix B", () => {
    const known = {
      0: "1ff8",
      10: "3ffffffc",
      32: "14",
      48: "0",
      88: "fc",
      92: "7fff0",
      122: "7b",
      249: "ffffffe",
      255: "3ffffee",
      256: "3fffffff",
    };
    for (const [symbol, code] of Object.entries(known)) {
      expect(Number.parseInt(codes[Number(symbol)], 2).toString(16)).toBe(code);
    }
    expect(codeBits.reduce((sum, bits) => sum + 2 ** -bits, 0)).toBe(1);
  });

  test("all bytes, alone, in pairs, together", () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const decoded = (bytes: Buffer) => decodeHuffman(huffman(bytes), 0, huffman(bytes).length);
    expect(decoded(all)).toBe(all.toString("latin1"));
    for (const byte of all) {
      expect(decoded(Buffer.from([byte]))).toBe(String.fromCharCode(byte));
      expect(decoded(Buffer.from([byte, 255 - byte]))).toBe(String.fromCharCode(byte, 255 - byte));
    }
    expect(decodeHuffman(Buffer.alloc(0), 0, 0)).toBe("");
  });

  test("any bytes there and back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        const coded = huffman(bytes);
        expect(decodeHuffman(coded, 0, coded.length)).toBe(Buffer.from(bytes).toString("latin1"));
      }),
    );
  });
});

const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~"];
const name = fc
  .string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 20 })
  .map((tail) => `x-${tail}`);
/** What headers may hold: no blanks at the ends. */
const value = fc
  .array(fc.oneof(fc.integer({ min: 0x21, max: 0x7e }), fc.integer({ min: 0xa1, max: 0xff })), {
    maxLength: 40,
  })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

test("what the encoder makes, the decoder reads, and no table is touched", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), (fields) => {
      const decoder = newDecoder();
      const all: Field[] = [
        [":status", "200"],
        [":status", "431"],
        ["content-type", "x"],
        ...fields,
      ];
      expect(decoder.decode(Buffer.concat([emptyTable, encodeHeaders(all)]))).toEqual(all);
      expect(tableOf(decoder)).toEqual([]);
    }),
  );
});

describe("with the client of node:http2", () => {
  let listener: Http2Listener;
  let session: ClientHttp2Session;
  let seen: Headers = {};
  let answer: readonly Field[] = [];

  beforeAll(async () => {
    listener = new Http2Listener(frontEndOptions, (stream) => {
      seen = stream.headers;
      stream.respond(encodeHeaders([[":status", "200"], ...answer]), true);
    });
    session = connect(`http://${await listener.start(0)}`);
  });
  afterAll(async () => {
    session.destroy();
    await listener.close(0, () => {});
  });

  test("random headers there and back", async () => {
    const headers = fc.uniqueArray(fc.tuple(name, value), {
      selector: ([key]) => key,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(headers, headers, async (there, back) => {
        answer = back;
        const stream = session.request({ ":path": "/p", ...Object.fromEntries(there) });
        const got = await new Promise<Record<string, unknown>>((resolve, reject) => {
          stream.on("response", resolve);
          stream.on("error", reject);
        });
        stream.close();
        expect(Object.entries(seen).filter(([key]) => key.startsWith("x-"))).toEqual(there);
        expect(seen[":path"]).toBe("/p");
        for (const [key, one] of back) expect(got[key]).toBe(one);
      }),
      { numRuns: 150 },
    );
  });

  test("fields that come several times are joined", async () => {
    answer = [];
    const stream = session.request({
      ":path": "/",
      "x-a": ["1", "2", "3"],
      cookie: ["a=1", "b=2"],
    });
    await new Promise((resolve) => stream.on("response", resolve));
    expect(seen["x-a"]).toBe("1, 2, 3");
    expect(seen["cookie"]).toBe("a=1; b=2");
    stream.close();
  });
});
