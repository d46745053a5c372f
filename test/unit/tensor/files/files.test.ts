import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../../../src/base/index.ts";
import {
  dataFileEndings,
  type ElementType,
  elementTypes,
  integerRange,
  makeTensor,
  readArrays,
  sizeOf,
  type Tensor,
  writeArray,
  writeArrays,
} from "../../../../src/tensor/index.ts";
import { problemOf } from "../../../support/problem.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const numpyTypes = (Object.keys(elementTypes) as ElementType[]).filter(
  (type) => elementTypes[type].bits > 4 && type !== "bfloat16",
);

/** An array with numbers that its element type holds exactly. */
const arrays = fc
  .constantFrom(...numpyTypes)
  .chain((elementType) => {
    const { dtype } = elementTypes[elementType];
    const range = dtype === "float" ? { low: -2048, high: 2048 } : integerRange(elementType);
    const number = fc
      .maxSafeInteger()
      .map((n) => range.low + (Math.abs(n) % (range.high - range.low + 1)));
    return fc
      .array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 })
      .chain((shape) =>
        fc
          .array(number, { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
          .map((data) => ({ elementType, tensor: makeTensor(shape, data, dtype) })),
      );
  })
  .filter(({ tensor }) => tensor.data.every(Number.isSafeInteger));

test.each([".npy", ".npz", ".pb"])("what is written to %s is read again", (ending) => {
  const path = join(temporaryFolder(), `x${ending}`);
  fc.assert(
    fc.property(arrays, ({ tensor, elementType }) => {
      writeArray(path, tensor, elementType);
      const name = ending === ".npz" ? "arr_0" : "";
      expect(readArrays(path)).toEqual([{ name, tensor, elementType }]);
    }),
  );
});

test.each([".csv", ".dat", ".CSV"])("numbers in a %s come back as a table", (ending) => {
  const path = join(temporaryFolder(), `x${ending}`);
  const table = fc
    .integer({ min: 1, max: 5 })
    .chain((columns) =>
      fc.array(fc.array(fc.double(), { minLength: columns, maxLength: columns }), { minLength: 1 }),
    );
  fc.assert(
    fc.property(table, (rows) => {
      const tensor = makeTensor([rows.length, rows[0].length], rows.flat());
      writeArray(path, tensor, "float64");
      expect(readArrays(path)).toEqual([{ name: "", tensor, elementType: "float64" }]);
    }),
  );
});

const small: Tensor = makeTensor([2], [1, 2]);

describe("writing", () => {
  test("leaves nothing behind when it fails, and the old file when it cannot replace it", () => {
    const folder = temporaryFolder();
    const path = join(folder, "x.npy");
    writeArray(path, small, "float32");
    const before = readFileSync(path);
    expect(problemOf(() => writeArray(path, small, "bfloat16"))?.code).toBe("N2F_DATA_FORMAT");
    mkdirSync(join(folder, "taken.npy"));
    expect(problemOf(() => writeArray(join(folder, "taken.npy"), small, "int8"))?.code).toBe(
      "N2F_FILE_WRITE",
    );
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(folder).sort()).toEqual(["taken.npy", "x.npy"]);
  });

  test("needs a folder", () => {
    const path = join(temporaryFolder(), "none/x.npy");
    expect(problemOf(() => writeArray(path, small, "int8"))).toMatchObject({
      code: "N2F_FILE_WRITE",
      at: path,
    });
  });

  test("puts several arrays into an archive only", () => {
    const two = ["a", "b"].map((name) => ({ name, tensor: small, elementType: "int8" as const }));
    const path = join(temporaryFolder(), "x.npz");
    writeArrays(path, two);
    expect(readArrays(path)).toEqual(
      two.map((array) => ({ ...array, tensor: makeTensor([2], [1, 2], "int") })),
    );
    expect(problemOf(() => writeArrays("x.npy", two))?.message).toContain("2 arrays");
  });
});

describe("reading", () => {
  test("a file that is not there, or no file", () => {
    const folder = temporaryFolder();
    const missing = join(folder, "x.npy");
    expect(problemOf(() => readArrays(missing))).toMatchObject({
      code: "N2F_FILE_READ",
      at: missing,
    });
    mkdirSync(join(folder, "y.npy"));
    expect(problemOf(() => readArrays(join(folder, "y.npy")))?.message).toBe("this is not a file");
    expect(problemOf(() => readArrays("/dev/null/x.npy"))?.code).toBe("N2F_FILE_READ");
    expect(problemOf(() => readArrays("zero\0byte.npy"))?.code).toBe("N2F_FILE_READ");
  });

  test("an ending that says nothing", () => {
    expect(problemOf(() => readArrays("x.txt"))).toMatchInlineSnapshot(`
      {
        "at": "x.txt",
        "code": "N2F_DATA_FORMAT",
        "hint": "Use one of .npy, .npz, .pb, .csv, .dat.",
        "message": "the ending ".txt" says nothing about the format",
      }
    `);
  });

  test("a limit for what archives unpack to", () => {
    const path = join(temporaryFolder(), "x.npz");
    writeArray(path, small, "float64");
    expect(readArrays(path, { maxBytes: 200 })).toHaveLength(1);
    expect(problemOf(() => readArrays(path, { maxBytes: 100 }))?.code).toBe("N2F_DATA_FORMAT");
  });
});

test.each(dataFileEndings)("damage to a %s ends in one problem or in arrays", (ending) => {
  const folder = temporaryFolder();
  const whole = join(folder, `whole${ending}`);
  writeArray(
    whole,
    makeTensor(
      [4, 8],
      Float64Array.from({ length: 32 }, (_, i) => i / 7),
    ),
    "float32",
  );
  const bytes = readFileSync(whole);
  const path = join(folder, `x${ending}`);
  const tryBytes = (damagedBytes: Uint8Array) => {
    writeFileSync(path, damagedBytes);
    const problem = problemOf(() => readArrays(path));
    if (problem !== undefined) {
      expect(problem.code).toMatch(/^N2F_(DATA_FORMAT|ONNX_DTYPE|ONNX_EXTERNAL)$/);
      expect(problem.at).toBe(path);
    }
  };
  for (let length = 0; length < bytes.length; length += 5) tryBytes(bytes.subarray(0, length));
  const random = new Random(1);
  for (let i = 0; i < 100; i++) {
    const flipped = Uint8Array.from(bytes);
    flipped[random.below(bytes.length)] ^= 1 << random.below(8);
    tryBytes(flipped);
    tryBytes(Uint8Array.from({ length: random.below(300) }, () => random.below(256)));
  }
});
