import onnxProto, { type onnx } from "onnx-proto";
import { describe, expect, test } from "vitest";
import {
  dataTypeCodes,
  decodeTensorProto,
  type ElementType,
  type TensorSource,
} from "../../../src/tensor/index.ts";
import { problemOf } from "../../support/problem.ts";

const { TensorProto } = onnxProto.onnx;
const model: TensorSource = { at: "m.onnx", kind: "model" };
const data: TensorSource = { at: "x.pb", kind: "data" };

/** What the library makes of the tensor's bytes. */
function proto(elementType: ElementType | number, fields: onnx.ITensorProto): onnx.TensorProto {
  const dataType = typeof elementType === "number" ? elementType : dataTypeCodes[elementType];
  return TensorProto.decode(TensorProto.encode({ name: "w", dataType, ...fields }).finish());
}

function numbers(elementType: ElementType, fields: onnx.ITensorProto, source = model): number[] {
  const decoded = decodeTensorProto(proto(elementType, fields), source);
  expect(decoded.elementType).toBe(elementType);
  return Array.from(decoded.tensor.data);
}

const int64 = (value: bigint) =>
  ({
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned: false,
  }) as unknown as number;

describe("typed fields", () => {
  test.each<[ElementType, onnx.ITensorProto, number[]]>([
    ["float32", { floatData: [0.5, -0, 3] }, [0.5, -0, 3]],
    ["float64", { doubleData: [0.1, 1e300, -1] }, [0.1, 1e300, -1]],
    ["float16", { int32Data: [0x3c00, 0xc000, 0x7c00] }, [1, -2, Number.POSITIVE_INFINITY]],
    ["bfloat16", { int32Data: [0x3f80, 0x4049, 0x8000] }, [1, 3.140625, -0]],
    ["int8", { int32Data: [-128, 127, 0] }, [-128, 127, 0]],
    ["uint8", { int32Data: [0, 255, 1] }, [0, 255, 1]],
    ["int16", { int32Data: [-32768, 32767, 0] }, [-32768, 32767, 0]],
    ["uint16", { int32Data: [0, 65535, 1] }, [0, 65535, 1]],
    ["int32", { int32Data: [-(2 ** 31), 2 ** 31 - 1, 0] }, [-(2 ** 31), 2 ** 31 - 1, 0]],
    ["uint32", { uint64Data: [0, 2 ** 32 - 1, 1] }, [0, 2 ** 32 - 1, 1]],
    ["int64", { int64Data: [-(2 ** 53) + 1, 2 ** 53 - 1, -1] }, [-(2 ** 53) + 1, 2 ** 53 - 1, -1]],
    ["uint64", { uint64Data: [0, 2 ** 53 - 1, 1] }, [0, 2 ** 53 - 1, 1]],
    ["bool", { int32Data: [0, 1, 2] }, [0, 1, 1]],
    ["int4", { int32Data: [0x78, 0x0f] }, [-8, 7, -1]],
    ["uint4", { int32Data: [0xf8, 0x0f] }, [8, 15, 15]],
  ])("%s", (type, fields, expected) => {
    expect(numbers(type, { dims: [3], ...fields })).toEqual(expected);
  });

  test("a scalar and an empty tensor", () => {
    expect(numbers("float32", { floatData: [2] })).toEqual([2]);
    expect(numbers("float32", { dims: [0, 3] })).toEqual([]);
  });
});

test("raw data may begin at any byte of the file", () => {
  const rawData = new Uint8Array(Float64Array.of(1 / 3, -2).buffer);
  for (let length = 0; length < 8; length++) {
    const name = "n".repeat(length);
    expect(numbers("float64", { dims: [2], name, rawData })).toEqual([1 / 3, -2]);
  }
});

describe("64-bit integers", () => {
  const limits = [2n ** 63n - 1n, -(2n ** 63n), -(2n ** 63n) + 1n];
  const fields = { dims: [3], int64Data: limits.map(int64) };
  const rawData = new Uint8Array(BigInt64Array.from(limits).buffer);
  const inside = [2 ** 53 - 1, -(2 ** 53) + 1, -(2 ** 53) + 1];

  test("limits in a model become the largest exact double", () => {
    expect(numbers("int64", fields)).toEqual(inside);
    expect(numbers("int64", { dims: [3], rawData })).toEqual(inside);
  });

  test("limits in data are refused", () => {
    expect(problemOf(() => numbers("int64", fields, data))).toMatchInlineSnapshot(`
      {
        "at": "x.pb",
        "code": "N2F_DATA_FORMAT",
        "hint": "Use numbers between -(2^53 - 1) and 2^53 - 1.",
        "message": "tensor "w" holds the int64 9223372036854775807, which is beyond 2^53 and would lose digits",
      }
    `);
    expect(problemOf(() => numbers("int64", { dims: [3], rawData }, data))?.code).toBe(
      "N2F_DATA_FORMAT",
    );
  });

  test.each([2n ** 53n, -(2n ** 53n), 2n ** 62n])("%d is refused in a model too", (value) => {
    const problem = problemOf(() => numbers("int64", { dims: [1], int64Data: [int64(value)] }));
    expect(problem).toMatchObject({ code: "N2F_ONNX_CORRUPT", at: "m.onnx" });
    expect(problem?.message).toContain(String(value));
  });
});

test("an unsigned number with the upper bit set is not taken for a negative one", () => {
  const uint64Data = [{ low: -1, high: -1, unsigned: true } as unknown as number];
  const problem = problemOf(() => numbers("uint64", { dims: [1], uint64Data }));
  expect(problem?.message).toContain("the uint64 18446744073709551615, which is beyond 2^53");
});

describe("refuses", () => {
  test.each<[string, ElementType | number, onnx.ITensorProto, string]>([
    [
      "too few bytes",
      "float32",
      { dims: [2], rawData: new Uint8Array(7) },
      'tensor "w" has 7 bytes of data; float32 of shape [2] takes 8',
    ],
    [
      "too many numbers",
      "float32",
      { dims: [2], floatData: [1, 2, 3] },
      'tensor "w" has 3 numbers; float32 of shape [2] takes 2',
    ],
    [
      "numbers in the field of another type",
      "float32",
      { dims: [1], int32Data: [1] },
      'tensor "w" has 1 numbers; float32 of shape [1] takes 1',
    ],
    [
      "data in two fields",
      "int8",
      { dims: [1], int32Data: [1], rawData: Uint8Array.of(1) },
      "has its data twice",
    ],
    [
      "a number outside its type",
      "uint8",
      { dims: [1], int32Data: [256] },
      'tensor "w" holds 256, which is no uint8',
    ],
    ["a negative extent", "float32", { dims: [-2] }, 'tensor "w" has the shape [-2]'],
    [
      "a huge shape",
      "float32",
      { dims: [2 ** 31, 2 ** 31] },
      "[2147483648,2147483648], more than 536870912 elements",
    ],
    [
      "a huge extent beside an empty axis",
      "float32",
      { dims: [0, 2 ** 40] },
      "more than 536870912 elements",
    ],
    [
      "hundreds of axes",
      "float32",
      { dims: new Array(1000).fill(1), floatData: [1] },
      "has 1000 axes",
    ],
    ["no type", 0, { dims: [1], floatData: [1] }, "does not say of which type"],
    ["a segment", "float32", { dims: [1], floatData: [1], segment: { begin: 0 } }, "one segment"],
    [
      "data at an unknown place",
      "float32",
      { dims: [1], floatData: [1], dataLocation: 7 as number },
      "unknown place 7",
    ],
  ])("%s", (_, type, fields, message) => {
    const decode = (source: TensorSource) => () => decodeTensorProto(proto(type, fields), source);
    const inModel = problemOf(decode(model));
    expect(inModel).toMatchObject({ code: "N2F_ONNX_CORRUPT", at: "m.onnx" });
    expect(inModel?.message).toContain(message);
    expect(problemOf(decode(data))).toMatchObject({ code: "N2F_DATA_FORMAT", at: "x.pb" });
  });

  test.each([
    [8, "string"],
    [14, "complex64"],
    [17, "float8e4m3fn"],
    [25, "uint2"],
    [99, "99"],
  ])("type %i, %s", (code, name) => {
    const problem = problemOf(() => decodeTensorProto(proto(code, { dims: [0] }), model));
    expect(problem?.code).toBe("N2F_ONNX_DTYPE");
    expect(problem?.message).toBe(`tensor "w" has elements of type ${name}`);
  });

  test("external data, if there is nobody to fetch it", () => {
    const external = proto("float32", { dims: [1], dataLocation: 1 });
    expect(problemOf(() => decodeTensorProto(external, data))?.code).toBe("N2F_ONNX_EXTERNAL");
  });
});
