import fc from "fast-check";
import { type DType, makeTensor, type Shape, sizeOf, type Tensor } from "../../src/tensor/index.ts";

/** Shapes of a few elements. */
export function arbitraryShape(minRank = 0, maxRank = 3, maxExtent = 3): fc.Arbitrary<Shape> {
  return fc.array(fc.integer({ min: 1, max: maxExtent }), {
    minLength: minRank,
    maxLength: maxRank,
  });
}

/** A shape that broadcasts to another: some axes 1, some leading axes gone. */
export function arbitraryBroadcast(to: Shape): fc.Arbitrary<Shape> {
  return fc
    .tuple(
      fc.integer({ min: 0, max: to.length }),
      fc.array(fc.boolean(), { minLength: to.length, maxLength: to.length }),
    )
    .map(([gone, single]) => to.map((extent, i) => (single[i] ? 1 : extent)).slice(gone));
}

/** Multiples of 1/8 between -8 and 8: sums and products of a few are exact, even in float32. */
export const arbitraryReal: fc.Arbitrary<number> = fc
  .integer({ min: -64, max: 64 })
  .map((eighths) => eighths / 8);

export function arbitraryTensor(
  shape: Shape,
  real: fc.Arbitrary<number> = arbitraryReal,
  dtype: DType = "float",
): fc.Arbitrary<Tensor> {
  const size = sizeOf(shape);
  return fc
    .array(real, { minLength: size, maxLength: size })
    .map((data) => makeTensor(shape, data, dtype));
}
