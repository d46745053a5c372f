import { type Zippable, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { damaged } from "../../../../src/tensor/files/damaged.ts";
import { writeNpy } from "../../../../src/tensor/files/npy.ts";
import { readNpz, writeNpz } from "../../../../src/tensor/files/npz.ts";
import { makeTensor, type NamedTensor } from "../../../../src/tensor/index.ts";
import { problemOf } from "../../../support/problem.ts";

const refuse = damaged("x.npz");
const enough = 2 ** 20;
const x: NamedTensor = { name: "x", tensor: makeTensor([2], [1, -1]), elementType: "float32" };
const y: NamedTensor = { name: "a/ÿ", tensor: makeTensor([], [7], "int"), elementType: "uint8" };
const npy = writeNpy(x.tensor, "float32", refuse);

function problem(bytes: Uint8Array, maxBytes = enough) {
  return problemOf(() => readNpz(bytes, maxBytes, refuse));
}

/** An archive with some bytes replaced, counted from the directory's entry for its one member. */
function edited(
  at: number,
  bytes: readonly number[],
  members: Zippable = { "x.npy": npy },
): Buffer {
  const archive = Buffer.from(zipSync(members));
  archive.set(bytes, archive.indexOf("PK\x01\x02", "latin1") + at);
  return archive;
}

test("arrays come back by name and in order", () => {
  const bytes = writeNpz([x, y], refuse);
  expect(readNpz(bytes, enough, refuse)).toEqual([x, y]);
  expect(writeNpz([x, y], refuse)).toEqual(bytes);
});

test("a compressed archive", () => {
  const zeros = makeTensor([1000], new Float64Array(1000));
  const packed = zipSync({ "z.npy": [writeNpy(zeros, "float64", refuse), { level: 9 }] });
  expect(packed.length).toBeLessThan(500);
  expect(readNpz(packed, enough, refuse)[0].tensor).toEqual(zeros);
});

test("an archive whose sizes are noted in 64 bits, as numpy writes large ones", () => {
  const wide = Buffer.alloc(20);
  wide.writeUInt16LE(1);
  wide.writeUInt16LE(16, 2);
  wide.writeBigUInt64LE(BigInt(npy.length), 4);
  wide.writeBigUInt64LE(BigInt(npy.length), 12);
  const archive = Buffer.from(
    zipSync({ "x.npy": npy }, { level: 0, extra: { 1: wide.subarray(4) } }),
  );
  const entry = archive.indexOf("PK\x01\x02", "latin1");
  archive.fill(0xff, entry + 20, entry + 28);
  expect(readNpz(archive, enough, refuse)).toEqual([x]);
});

describe("refuses", () => {
  test("more bytes than allowed, before it unpacks any", () => {
    const bomb = zipSync({ "z.npy": [new Uint8Array(1e6), { level: 9 }] });
    expect(problem(bomb, 1e5)?.message).toBe(
      "the archive unpacks to 1000000 bytes; 100000 are possible",
    );
  });

  test("a member that unpacks to more than it declares", () => {
    const small = [10, 0, 0, 0];
    const bomb = edited(24, small, { "z.npy": [new Uint8Array(1e6), { level: 9 }] });
    expect(problem(bomb)?.message).toContain('"z.npy" cannot be unpacked');
  });

  test.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(0), "this is not a zip archive"],
    ["half an archive", zipSync({ "x.npy": npy }).subarray(0, 100), "this is not a zip archive"],
    ["a wrong checksum", edited(16, [1, 2, 3, 4]), '"x.npy" does not have the size and checksum'],
    ["a stored size that is not true", edited(20, [9, 0, 0, 0]), '"x.npy" '],
    ["a place outside the file", edited(42, [0, 0, 0, 0x7f]), '"x.npy" is not where'],
    ["encryption", edited(8, [1]), '"x.npy" is encrypted'],
    ["another method", edited(10, [12]), '"x.npy" is packed by method 12'],
    ["a name beyond the end", edited(28, [0xff, 0xff]), "breaks off after 0 of 1 entries"],
    ["a member that is no array", zipSync({ "readme.txt": npy }), 'a member "readme.txt"'],
    [
      "an array that is damaged",
      zipSync({ "x.npy": npy.subarray(1) }),
      'array "x": this is not a .npy file',
    ],
  ])("%s", (_, bytes, message) => {
    const found = problem(bytes);
    expect(found).toMatchObject({ code: "N2F_DATA_FORMAT", at: "x.npz" });
    expect(found?.message).toContain(message);
  });

  test("two arrays of one name", () => {
    expect(problemOf(() => writeNpz([x, x], refuse))?.code).toBe("N2F_DATA_FORMAT");
  });
});

test("a bit flipped in the data is noticed", () => {
  const bytes = writeNpz([x, y], refuse);
  const at = Buffer.from(bytes).indexOf(Buffer.from(Float32Array.of(1, -1).buffer));
  for (let bit = 0; bit < 64; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at + (bit >> 3)] ^= 1 << (bit & 7);
    expect(problem(flipped)?.message).toContain("checksum");
  }
});
