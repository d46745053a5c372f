import { defineComposite } from "../ir/index.ts";
import { makeTensor } from "../tensor/index.ts";
import { broadcastIndex } from "./family/broadcast.ts";
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
  type: ([a, b], { transA, transB }) =>
    matmul.type(
      [
        { ...a, shape: swapped(a.shape, transA) },
        { ...b, shape: swapped(b.shape, transB) },
      ],
      {},
    ),
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
