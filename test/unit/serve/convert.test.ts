import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layOutPorts } from "../../../src/artifact/index.ts";
import { limit, makeFormat, packCodes, realToCode, unpackCodes } from "../../../src/fixed/index.ts";
import { packerOf, unpackerOf } from "../../../src/serve/backend/convert.ts";
import { type Datatype, datatypeBytes } from "../../../src/serve/core/index.ts";
import { decodeElements, type ElementType, encodeElements } from "../../../src/tensor/index.ts";

const elementTypes: Partial<Record<Datatype, ElementType>> = {
  FP16: "float16",
  BF16: "bfloat16",
  FP32: "float32",
  FP64: "float64",
  INT8: "int8",
  UINT8: "uint8",
  INT16: "int16",
  UINT16: "uint16",
  INT32: "int32",
  UINT32: "uint32",
};

const reals = ["FP16", "BF16", "FP32", "FP64"] as const;
const integers = ["INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32"] as const;

const numbersOf = (raw: Uint8Array, datatype: Datatype): Float64Array =>
  decodeElements(
    raw,
    elementTypes[datatype] as ElementType,
    raw.length / datatypeBytes[datatype],
    Number,
  );

function port(dtype: "float" | "int", signed: boolean, width: number, frac: number) {
  const precision = {
    format: makeFormat(signed, width, frac),
    rounding: "RND",
    overflow: "SAT",
  } as const;
  return layOutPorts([{ name: "t", shape: [1, 3], dtype, precision }])[0];
}

describe("raw tensors and codes", () => {
  it("quantizes every real type as its numbers say, whatever its bits", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...reals),
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: -4, max: 12 }),
        fc.uint8Array({ minLength: 48, maxLength: 48 }),
        (datatype, width, frac, bytes) => {
          const tensor = port("float", true, width, frac);
          const rows = 2;
          const raw = bytes.slice(0, rows * 3 * datatypeBytes[datatype]);
          const packets = new Uint8Array(rows * tensor.sizeBytes);
          packerOf(tensor, datatype)(raw, rows, {
            bytes: packets,
            at: 0,
            strideBytes: tensor.sizeBytes,
          });
          const codes = Array.from(numbersOf(raw, datatype), (x) =>
            realToCode(x, tensor.format, tensor.rounding, tensor.overflow),
          );
          expect(unpackCodes(packets, 0, rows * 3, tensor)).toEqual(codes);
        },
      ),
    );
  });

  it("takes codes as they are, limited to the format", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...integers),
        fc.integer({ min: 2, max: 31 }),
        fc.boolean(),
        fc.uint8Array({ minLength: 24, maxLength: 24 }),
        (datatype, width, signed, bytes) => {
          const tensor = port("float", signed, width, 5);
          const raw = bytes.slice(0, 6 * datatypeBytes[datatype]);
          const packets = new Uint8Array(2 * tensor.sizeBytes);
          packerOf(tensor, datatype)(raw, 2, {
            bytes: packets,
            at: 0,
            strideBytes: tensor.sizeBytes,
          });
          const codes = Array.from(numbersOf(raw, datatype), (x) =>
            limit(BigInt(x), tensor.format, "SAT"),
          );
          expect(unpackCodes(packets, 0, 6, tensor)).toEqual(codes);
        },
      ),
    );
  });

  it("gives integers and wide codes back exactly", () => {
    const tensor = port("int", true, 60, 0);
    const codes = [2n ** 58n + 1n, -3n, 0n];
    const raw = new Uint8Array(BigInt64Array.from(codes).buffer);
    const packets = new Uint8Array(24);
    const place = { bytes: packets, at: 0, strideBytes: 24 };
    packerOf(tensor, "INT64")(raw, 1, place);
    expect(unpackCodes(packets, 0, 3, tensor)).toEqual(codes);
    const back = new Uint8Array(24);
    unpackerOf(tensor, "INT64")(place, 1, back);
    expect(back).toEqual(raw);
  });

  it("rounds results to the type that is asked for", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...reals),
        fc.integer({ min: -2, max: 30 }),
        fc.array(fc.bigInt({ min: -(2n ** 30n), max: 2n ** 30n - 1n }), {
          minLength: 6,
          maxLength: 6,
        }),
        (datatype, frac, codes) => {
          const tensor = port("float", true, 31, frac);
          const packets = new Uint8Array(2 * tensor.sizeBytes);
          packCodes(codes, tensor, packets, 0);
          const raw = new Uint8Array(6 * datatypeBytes[datatype]);
          unpackerOf(tensor, datatype)(
            { bytes: packets, at: 0, strideBytes: tensor.sizeBytes },
            2,
            raw,
          );
          const numbers = Float64Array.from(codes, (code) => Number(code) * 2 ** -frac);
          const type = elementTypes[datatype] as ElementType;
          // bfloat16 is rounded from the float32 of the number, as everywhere.
          const expected = encodeElements(
            datatype === "BF16" ? numbers.map(Math.fround) : numbers,
            type,
            () => {
              throw new Error("does not fit");
            },
          );
          expect(numbersOf(raw, datatype)).toEqual(numbersOf(expected, datatype));
        },
      ),
    );
  });
});
