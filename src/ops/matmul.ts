import { fail } from "../base/index.ts";
import {
  type ArgType,
  definePrimitive,
  type MatmulKernel,
  type QuantArg,
  Ranges,
} from "../ir/index.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";
import { addBias, biasShift, columnSums, exactNumbers, multiplyRows } from "./family/product.ts";

interface Layout extends Omit<MatmulKernel, "kind"> {
  readonly shape: Shape;
}

/** How the elements of both sides meet, by the rule of numpy: leading axes broadcast, rank 1 is a vector. */
function layoutOf([a, b]: readonly ArgType[]): Layout {
  const misfit = (): never =>
    fail(
      "N2F_OP_ATTRIBUTE",
      `${shapeText(a.shape)} and ${shapeText(b.shape)} cannot be multiplied as matrices`,
    );
  if (a.shape.length === 0 || b.shape.length === 0) misfit();
  const left = a.shape.length === 1 ? [1, a.shape[0]] : a.shape;
  const right = b.shape.length === 1 ? [b.shape[0], 1] : b.shape;
  const [m, k] = left.slice(-2);
  const [k2, n] = right.slice(-2);
  if (k !== k2) misfit();
  const groupShape = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  const groups = sizeOf(groupShape);
  const offsets = (shape: Shape, block: number): Int32Array => {
    const index = broadcastIndex(shape.slice(0, -2), groupShape);
    return Int32Array.from({ length: groups }, (_, g) => (index?.[g] ?? g) * block);
  };
  const shape = [
    ...groupShape,
    ...(a.shape.length === 1 ? [] : [m]),
    ...(b.shape.length === 1 ? [] : [n]),
  ];
  return {
    shape,
    groups,
    m,
    k,
    n,
    a: { offset: offsets(left, m * k), rowStride: k, columnStride: 1 },
    b: { offset: offsets(right, k * n), rowStride: n, columnStride: 1 },
  };
}

/** The product over real numbers, on top of what each column starts from. */
function multiply(
  a: Float64Array,
  b: Float64Array,
  begin: Float64Array,
  layout: Layout,
): Float64Array {
  const { groups, m, k, n } = layout;
  const out = new Float64Array(groups * m * n);
  for (let g = 0; g < groups; g++) {
    const block = { data: b, first: layout.b.offset[g], k, n };
    multiplyRows(a, layout.a.offset[g], m, block, begin, out, g * m * n, n);
  }
  return out;
}

/** Adds up the least and greatest of each product; number arithmetic where it is exact. */
function productInterval(
  [a, b]: readonly QuantArg[],
  layout: Layout,
  g: number,
  row: number,
  column: number,
): readonly [bigint, bigint] {
  const weights = b.data?.data;
  let [lo, hi] = [0n, 0n];
  for (let i = 0; i < layout.k; i++) {
    const ai = layout.a.offset[g] + row * layout.a.rowStride + i;
    const bi = layout.b.offset[g] + i * layout.b.rowStride + column;
    const [al, ah] = [a.quant.ranges.lo(ai), a.quant.ranges.hi(ai)];
    if (weights !== undefined) {
      const w = BigInt(weights[bi]);
      if (w === 0n) continue;
      lo += w < 0n ? w * ah : w * al;
      hi += w < 0n ? w * al : w * ah;
    } else {
      const [bl, bh] = [b.quant.ranges.lo(bi), b.quant.ranges.hi(bi)];
      const corners = [al * bl, al * bh, ah * bl, ah * bh];
      lo += corners.reduce((x, y) => (x < y ? x : y));
      hi += corners.reduce((x, y) => (x > y ? x : y));
    }
  }
  return [lo, hi];
}

/**
 * The same where a constant matrix is on the right and all rows of the left have the same intervals: one
 * for each column of the result.
 */
function columnIntervals([a, b]: readonly QuantArg[], layout: Layout): Ranges | undefined {
  const { k, n } = layout;
  const { ranges } = a.quant;
  if (b.data === undefined || k % ranges.period !== 0 || sizeOf(b.shape) !== k * n) {
    return undefined;
  }
  const sums = columnSums((i) => [ranges.lo(i), ranges.hi(i)], b, { first: 0, k, n });
  return Ranges.each(n, (column) => sums[column]);
}

/** Calls back for every element of the result. */
function forEachResult<T>(
  { groups, m, n }: Layout,
  result: (g: number, row: number, column: number) => T,
): T[] {
  return Array.from({ length: groups * m * n }, (_, i) =>
    result(Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n),
  );
}

/**
 * The matrix product of x and y, with an optional bias for each column (of shape [n]), exact: the accumulator is as wide
 * as the real weights make it.
 *
 * @see https://onnx.ai/onnx/operators/onnx__MatMul.html
 */
export const matmul = definePrimitive({
  name: "matmul",
  summary: "The matrix product, with an optional bias for each column.",
  words: ["matmul"],
  type: (args) => {
    const { shape, n } = layoutOf(args);
    const bias = args[2];
    if (bias !== undefined && !sameShape(bias.shape, [n])) {
      fail(
        "N2F_OP_ATTRIBUTE",
        `a bias of shape ${shapeText(bias.shape)} does not fit a product of ${n} columns`,
      );
    }
    return { shape, dtype: args[0].dtype };
  },
  float: (args) => {
    const layout = layoutOf(args);
    const [a, b, bias] = args;
    const data = multiply(a.data, b.data, bias?.data ?? new Float64Array(layout.n), layout);
    return { shape: layout.shape, dtype: a.dtype, data };
  },
  narrow: (args) => args.map((_, i) => i < 2),
  quant: (args) => {
    const layout = layoutOf(args);
    const products =
      columnIntervals(args, layout) ??
      (() => {
        const all = forEachResult(layout, (g, row, column) =>
          productInterval(args, layout, g, row, column),
        );
        return Ranges.each(all.length, (i) => all[i]);
      })();
    const ranges = addBias(products, args, layout.n);
    return { format: ranges.format(args[0].quant.format.frac + args[1].quant.format.frac), ranges };
  },
  fixed: ([a, b, bias], quants) => {
    const layout = layoutOf(quants);
    const shift = bias === undefined ? 0n : BigInt(biasShift(quants));
    const begin = Array.from({ length: layout.n }, (_, c) => (bias?.[c] ?? 0n) << shift);
    const numbers = exactNumbers(a, b, begin, layout.k);
    if (numbers !== undefined) {
      return Array.from(multiply(numbers.x, numbers.w, numbers.begin, layout), BigInt);
    }
    return forEachResult(layout, (g, row, column) => {
      let sum = begin[column];
      for (let i = 0; i < layout.k; i++) {
        const x = a[layout.a.offset[g] + row * layout.a.rowStride + i];
        sum += x * b[layout.b.offset[g] + i * layout.b.rowStride + column];
      }
      return sum;
    });
  },
  kernel: (args) => {
    const { groups, m, k, n, a, b } = layoutOf(args);
    const shift = args[2] === undefined ? {} : { biasShift: biasShift(args) };
    return { kind: "matmul", groups, m, k, n, a, b, ...shift };
  },
});
