import type { ElementType } from "./element.ts";

/** ONNX's numbers for the element types that we hold. */
export const dataTypeCodes: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
};

const refusedDataTypes = {
  8: "string",
  14: "complex64",
  15: "complex128",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
  23: "float4e2m1",
  24: "float8e8m0",
  25: "uint2",
  26: "int2",
  27: "float6e2m3",
  28: "float6e3m2",
} as const;

/** Element types that ONNX has and we do not. */
export type RefusedElementType = (typeof refusedDataTypes)[keyof typeof refusedDataTypes];

const dataTypeNames: ReadonlyMap<number, ElementType | RefusedElementType> = new Map([
  ...Object.entries(dataTypeCodes).map(([name, code]) => [code, name as ElementType] as const),
  ...Object.entries(refusedDataTypes).map(([code, name]) => [Number(code), name] as const),
]);

/** The name of one of ONNX's element types, if there is such a type. */
export function dataTypeName(code: number): ElementType | RefusedElementType | undefined {
  return dataTypeNames.get(code);
}
