import { assert, fail } from "../base/index.ts";
import {
  type ArgType,
  definePrimitive,
  type MatmulKernel,
  type QuantArg,
  Ranges,
} from "../ir/index.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";

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

/**
 * Left shift that brings the bias to the binary point of the products. Whoever quantizes the network
 * gives the bias no finer point than that.
 */
function biasShift(args: readonly QuantArg[]): number {
  const shift = args[0].quant.format.frac + args[1].quant.format.frac - args[2].quant.format.frac;
  assert(shift >= 0, `the bias of a matmul has ${-shift} bits below the point of the products`);
  return shift;
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

/** The same for a constant right side and one interval for all of the left: sums of signs suffice. */
function columnIntervals([a, b]: readonly QuantArg[], layout: Layout): Ranges | undefined {
  const weights = b.data?.data;
  const [lo, hi] = a.quant.ranges.hull();
  const reach = Number(hi > -lo ? hi : -lo);
  if (weights === undefined || !a.quant.ranges.isUniform) return undefined;
  const [low, high] = [Number(lo), Number(hi)];
  const total = layout.k * reach * weights.reduce((top, w) => Math.max(top, Math.abs(w)), 0);
  if (total >= 2 ** 53) return undefined;
  return Ranges.each(layout.groups * layout.m * layout.n, (at) => {
    const column = at % layout.n;
    const g = Math.floor(at / (layout.m * layout.n));
    let [min, max] = [0, 0];
    for (let i = 0, bi = layout.b.offset[g] + column; i < layout.k; i++, bi += layout.n) {
      const w = weights[bi];
      min += w < 0 ? w * high : w * low;
      max += w < 0 ? w * low : w * high;
    }
    return [BigInt(min), BigInt(max)];
  });
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
    const sums = forEachResult(layout, (g, row, column) => {
      let sum = bias === undefined ? 0 : bias.data[column];
      const ai = layout.a.offset[g] + row * layout.a.rowStride;
      const bi = layout.b.offset[g] + column;
      for (let i = 0; i < layout.k; i++)
        sum += a.data[ai + i] * b.data[bi + i * layout.b.rowStride];
      return sum;
    });
    return { shape: layout.shape, dtype: a.dtype, data: Float64Array.from(sums) };
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
    const frac = args[0].quant.format.frac + args[1].quant.format.frac;
    const bias = args[2];
    if (bias === undefined) return { format: products.format(frac), ranges: products };
    const shift = BigInt(biasShift(args));
    const ranges = Ranges.each(sizeOf(layout.shape), (i) => {
      const column = i % layout.n;
      return [
        products.lo(i) + (bias.quant.ranges.lo(column) << shift),
        products.hi(i) + (bias.quant.ranges.hi(column) << shift),
      ];
    });
    return { format: ranges.format(frac), ranges };
  },
  fixed: ([a, b, bias], quants) => {
    const layout = layoutOf(quants);
    return forEachResult(layout, (g, row, column) => {
      let sum = bias === undefined ? 0n : bias[column] << BigInt(biasShift(quants));
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
