import { fail } from "../base/index.ts";
import { defineComposite } from "../ir/index.ts";
import { makeTensor, sameShape, shapeText } from "../tensor/index.ts";
import { broadcastIndex, broadcastShapes } from "./family/broadcast.ts";
import { matmul } from "./matmul.ts";

interface GemmAttrs {
  readonly alpha: number;
  readonly beta: number;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly [key: string]: number | boolean;
}

const swapped = (shape: readonly number[], swap: boolean): readonly number[] =>
  swap ? shape.toReversed() : shape;

/**
 * alpha * A * B + beta * C, with A and B transposed on request. Becomes transposes, a matrix product,
 * and products and sums with constants, which further passes fold.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Gemm.html
 */
export const gemm = defineComposite<GemmAttrs>({
  name: "gemm",
  summary: "alpha * A * B + beta * C.",
  madeOf: ["transpose", "matmul", "mul", "add"],
  type: ([a, b, c], { transA, transB }) => {
    const shapes = [swapped(a.shape, transA), swapped(b.shape, transB)];
    const misfit = shapes.find((shape) => shape.length !== 2);
    if (misfit !== undefined) {
      fail("N2F_OP_ATTRIBUTE", `gemm takes matrices, not a tensor of shape ${shapeText(misfit)}`);
    }
    const { dtype } = a;
    const { shape } = matmul.type(
      shapes.map((side) => ({ shape: side, dtype })),
      {},
    );
    if (c !== undefined && !sameShape(broadcastShapes(c.shape, shape), shape)) {
      fail(
        "N2F_OP_ATTRIBUTE",
        `C of shape ${shapeText(c.shape)} does not fit a product of shape ${shapeText(shape)}`,
      );
    }
    return { shape, dtype };
  },
  float: ([a, b, c], { alpha, beta, transA, transB }) => {
    const [m, k] = swapped(a.shape, transA);
    const [, n] = swapped(b.shape, transB);
    const index = c && broadcastIndex(c.shape, [m, n]);
    const data = Float64Array.from({ length: m * n }, (_, at) => {
      const [row, column] = [Math.floor(at / n), at % n];
      let sum = 0;
      for (let i = 0; i < k; i++) {
        const x = a.data[transA ? i * m + row : row * k + i];
        sum += x * b.data[transB ? column * k + i : i * n + column];
      }
      return alpha * sum + (c === undefined ? 0 : beta * c.data[index?.[at] ?? at]);
    });
    return { shape: [m, n], dtype: a.dtype, data };
  },
  decompose: (build, [a, b, c], { alpha, beta, transA, transB }) => {
    const left = transA ? build.op("transpose", [a], { perm: [1, 0] }) : a;
    const right = transB ? build.op("transpose", [b], { perm: [1, 0] }) : b;
    const scalar = (value: number) => build.constant(makeTensor([], [value]));
    let y = build.op("matmul", [left, right]);
    if (alpha !== 1) y = build.op("mul", [y, scalar(alpha)]);
    if (c === undefined || beta === 0) return y;
    return build.op("add", [y, beta === 1 ? c : build.op("mul", [c, scalar(beta)])]);
  },
});
