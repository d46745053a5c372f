import { defineMonotone } from "./family/unary.ts";

const clamp = (x: bigint, lo: bigint): bigint => (x > 0n ? 1n : x < lo ? lo : x);

/**
 * -1, 0 or 1. On codes it is a clamp, whose result has no binary point.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Sign.html
 */
export const sign = defineMonotone({
  name: "sign",
  summary: "-1 below zero, 0 at zero, 1 above.",
  float: (x) => Math.sign(x),
  fixed: (x) => clamp(x, -1n),
  frac: () => 0,
  word: "clamp",
  kernel: () => ({ kind: "clamp", lo: -1n, hi: 1n }),
});

/** 1 where x is above zero, else 0: every comparison is one of a difference. */
export const isPositive = defineMonotone({
  name: "is_positive",
  summary: "1 above zero, 0 elsewhere.",
  dtype: "bool",
  float: (x) => (x > 0 ? 1 : 0),
  fixed: (x) => clamp(x, 0n),
  frac: () => 0,
  word: "clamp",
  kernel: () => ({ kind: "clamp", lo: 0n, hi: 1n }),
});
