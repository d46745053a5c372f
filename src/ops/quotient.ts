import { type Attrs, type Builder, defineComposite, type ValueId } from "../ir/index.ts";
import { makeTensor, sizeOf } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";

interface QuotientAttrs extends Attrs {
  /** Bits of the greatest result. */
  readonly bits: number;
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/**
 * The integer nearest to x / y, the even one of two, for integers x >= 0 and y > 0; at most 2^bits - 1.
 *
 * Made of one subtraction for each bit, the highest first, as one divides on paper: with the remainder
 * r = 2x + y the quotient of r and 2y is x / y rounded up at ties, and the remainder that is left is zero just there.
 */
export const quotient = defineComposite<QuotientAttrs>({
  name: "quotient",
  summary: "x / y of integers, rounded to the nearest, ties to even.",
  madeOf: ["add", "is_positive", "mask", "mul", "sub"],
  type: ([x, y]) => ({ shape: broadcastShapes(x.shape, y.shape), dtype: "int" }),
  float: ([x, y], { bits }) => {
    const shape = broadcastShapes(x.shape, y.shape);
    const [a, b] = [broadcastIndex(x.shape, shape), broadcastIndex(y.shape, shape)];
    const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) =>
      Math.min(2 ** bits - 1, roundHalfEven(x.data[a?.[i] ?? i] / y.data[b?.[i] ?? i])),
    );
    return { shape, dtype: "int", data };
  },
  decompose: (build, [x, y], { bits }) => {
    const integer = (n: number) => build.constant(makeTensor([], [n], "int"));
    const times = (id: ValueId, n: number) => build.op("mul", [id, integer(n)]);
    let rest = build.op("add", [times(x, 2), y]);
    let quotientSoFar: ValueId | undefined;
    let last = rest;
    for (let bit = bits - 1; bit >= 0; bit--) {
      const part = times(y, 2 ** (bit + 1));
      last = isAtLeast(build, rest, part, integer(1));
      rest = build.op("sub", [rest, build.op("mask", [part, last])]);
      const place = times(last, 2 ** bit);
      quotientSoFar = quotientSoFar === undefined ? place : build.op("add", [quotientSoFar, place]);
    }
    // A tie that was rounded up to an odd number goes down.
    const isTie = build.op("sub", [integer(1), build.op("is_positive", [rest])]);
    return build.op("sub", [quotientSoFar as ValueId, build.op("mask", [last, isTie])]);
  },
});

/** 1 where a >= b, for integers. */
function isAtLeast(build: Builder, a: ValueId, b: ValueId, one: ValueId): ValueId {
  return build.op("is_positive", [build.op("add", [build.op("sub", [a, b]), one])]);
}
