import { assert } from "../base/index.ts";

/** Sizes of the axes, outermost first. `[]` is a scalar. */
export type Shape = readonly number[];

/** What the numbers of a tensor are. Codes of fixed-point values are `int`. */
export type DType = "float" | "int" | "bool";

/**
 * A dense array in row-major order. Every number is kept as a double: float32 and all integers up to
 * 2^53 are exact.
 */
export interface Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Float64Array;
}

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

export function makeTensor(
  shape: Shape,
  data: Float64Array | readonly number[],
  dtype: DType = "float",
): Tensor {
  const values = data instanceof Float64Array ? data : Float64Array.from(data);
  assert(values.length === sizeOf(shape), `${values.length} numbers for shape [${shape}]`);
  return { shape, dtype, data: values };
}

/** `[1,16]`, as messages and the text form write it. */
export function shapeText(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** Distance in elements between neighbours along each axis. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}
