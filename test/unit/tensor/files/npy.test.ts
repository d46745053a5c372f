import { describe, expect, test } from "vitest";
import { damaged } from "../../../../src/tensor/files/damaged.ts";
import { readNpy, writeNpy } from "../../../../src/tensor/files/npy.ts";
import { makeTensor, type NamedTensor } from "../../../../src/tensor/index.ts";
import { problemOf } from "../../../support/problem.ts";

const refuse = damaged("x.npy");

interface Parts {
  readonly version?: number;
  readonly header?: string;
  readonly data?: Uint8Array;
  /** What the file says of its header's length, if that is not true. */
  readonly claim?: number;
}

const header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }\n";
const data = new Uint8Array(Int16Array.of(1, 2, 3, 4, 5, 6).buffer);

function npy(parts: Parts = {}): Uint8Array {
  const text = parts.header ?? header;
  const version = parts.version ?? 1;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(parts.claim ?? text.length);
  else length.writeUInt32LE(parts.claim ?? text.length);
  const magic = Buffer.from("\x93NUMPY", "latin1");
  const start = [magic, Buffer.of(version, 0), length, Buffer.from(text)];
  return Buffer.concat([...start, parts.data ?? data]);
}

const plain: NamedTensor = {
  name: "",
  tensor: makeTensor([2, 3], [1, 2, 3, 4, 5, 6], "int"),
  elementType: "int16",
};

describe("reads", () => {
  test.each([1, 2, 3])("version %i", (version) => {
    expect(readNpy(npy({ version }), refuse)).toEqual(plain);
  });

  test("big-endian numbers", () => {
    const swapped = Buffer.from(data).swap16();
    const parts = { header: header.replace("<", ">"), data: swapped };
    expect(readNpy(npy(parts), refuse)).toEqual(plain);
  });

  test("Fortran order: the first axis changes fastest", () => {
    const turned = header.replace("False", "True");
    const columns = new Uint8Array(Int16Array.of(1, 4, 2, 5, 3, 6).buffer);
    expect(readNpy(npy({ header: turned, data: columns }), refuse)).toEqual(plain);
  });

  test("the long integers of Python 2 and other quotes", () => {
    const old = `{"descr": "<i2", "fortran_order": False, "shape": (2L, 3L)}`;
    expect(readNpy(npy({ header: old }), refuse)).toEqual(plain);
  });

  test.each([
    ["()", [], 1],
    ["(3,)", [3], 3],
    ["(0, 7)", [0, 7], 0],
    ["(1, 1, 2)", [1, 1, 2], 2],
  ])("the shape %s", (text, shape, size) => {
    const parts = { header: header.replace("(2, 3)", text), data: data.subarray(0, 2 * size) };
    expect(readNpy(npy(parts), refuse).tensor.shape).toEqual(shape);
  });
});

describe("refuses", () => {
  test.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(0), "this is not a .npy file"],
    ["another file", Buffer.from("PK\x03\x04 and so on, and so on"), "this is not a .npy file"],
    ["version 9", npy({ version: 9 }), "version 9 of the .npy format is unknown"],
    ["a header cut off", npy({ claim: 60000 }), "the header claims 60000 bytes"],
    [
      "a header of gigabytes",
      npy({ version: 2, claim: 2 ** 32 - 1 }),
      "the header claims 4294967295 bytes",
    ],
    [
      "data cut off",
      npy({ data: data.subarray(1) }),
      "int16 of shape [2,3] takes 12 bytes; after the header there are 11",
    ],
    [
      "data left over",
      npy({ data: Buffer.concat([data, data]) }),
      "takes 12 bytes; after the header there are 24",
    ],
    [
      "no shape",
      npy({ header: "{'descr': '<i2', 'fortran_order': False}" }),
      "the header has no shape",
    ],
    [
      "a negative extent",
      npy({ header: header.replace("2, 3", "-2, 3") }),
      "the header has no shape",
    ],
    [
      "an extent without digits",
      npy({ header: header.replace("2, 3", "2,,3") }),
      "the shape (2,,3) is not possible",
    ],
    [
      "a huge shape",
      npy({ header: header.replace("2, 3", "4000000000, 4000000000") }),
      "the shape (4000000000, 4000000000) is not possible",
    ],
    [
      "an extent beyond all numbers",
      npy({ header: header.replace("2, 3", "9".repeat(400)) }),
      "is not possible",
    ],
    ["complex numbers", npy({ header: header.replace("<i2", "<c8") }), 'no numbers of type "<c8"'],
    ["text", npy({ header: header.replace("<i2", "<U5") }), 'no numbers of type "<U5"'],
    ["Python objects", npy({ header: header.replace("<i2", "|O") }), 'no numbers of type "|O"'],
    [
      "records",
      npy({ header: header.replace("'<i2'", "[('a', '<i2')]") }),
      "no simple element type",
    ],
    [
      "integers that a double would round",
      npy({
        header: header.replace("<i2", "<i8").replace("2, 3", ""),
        data: new Uint8Array(BigInt64Array.of(2n ** 53n + 1n).buffer),
      }),
      "the number 9007199254740993 is beyond 2^53",
    ],
  ])("%s", (_, bytes, message) => {
    const problem = problemOf(() => readNpy(bytes, refuse));
    expect(problem).toMatchObject({ code: "N2F_DATA_FORMAT", at: "x.npy" });
    expect(problem?.message).toContain(message);
  });
});

test("writes the bytes that numpy.save writes", () => {
  const text = Buffer.from(writeNpy(plain.tensor, "int16", refuse)).toString("latin1");
  const written =
    "\x93NUMPY\x01\x00v\x00{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }";
  expect(text).toBe(`${written.padEnd(127)}\n\x01\0\x02\0\x03\0\x04\0\x05\0\x06\0`);
});
