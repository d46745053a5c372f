import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Op, PrimitiveOp, QuantArg } from "../../../src/ir/index.ts";
import { Ranges } from "../../../src/ir/index.ts";
import { conv } from "../../../src/ops/conv.ts";
import { exactNumbers } from "../../../src/ops/family/product.ts";
import { matmul } from "../../../src/ops/matmul.ts";
import type { Shape } from "../../../src/tensor/index.ts";

const quantArg = (shape: Shape): QuantArg => {
  const format = { signed: true, width: 64, frac: 0 };
  return { shape, dtype: "int", quant: { format, ranges: Ranges.ofFormat(format) } };
};

const primitive = (op: Op) => op as PrimitiveOp;

const codes = (count: number) =>
  fc.array(fc.bigInt(-(2n ** 12n), 2n ** 12n), { minLength: count, maxLength: count });

/** Far above what doubles hold, so that bigints must do it. */
const far = 50n;
const enlarged = (all: readonly bigint[]) => all.map((code) => code << far);

describe("sums of products in doubles", () => {
  it("are those of bigints: convolution in groups, padded", () => {
    const attrs = { group: 2, kernel: [3, 2], strides: [1, 2], dilations: [1, 1] };
    const quants = [[1, 5, 4, 4], [2, 12, 3], [6]].map(quantArg);
    const convolve = (...args: bigint[][]) =>
      primitive(conv).fixed(args, quants, { ...attrs, pads: [1, 0, 1, 1] }, quants[0].quant);
    fc.assert(
      fc.property(codes(80), codes(72), codes(6), (x, w, bias) => {
        const exact = convolve(enlarged(x), w, enlarged(bias));
        expect(convolve(x, w, bias)).toEqual(exact.map((code) => code >> far));
      }),
    );
  });

  it("are those of bigints: matrix product, broadcast", () => {
    const quants = [[2, 3, 5], [5, 4], [4]].map(quantArg);
    const multiply = (...args: bigint[][]) =>
      primitive(matmul).fixed(args, quants, {}, quants[0].quant);
    fc.assert(
      fc.property(codes(30), codes(20), codes(4), (x, w, bias) => {
        const exact = multiply(enlarged(x), w, enlarged(bias));
        expect(multiply(x, w, bias)).toEqual(exact.map((code) => code >> far));
      }),
    );
  });

  it("are left to bigints from 2^52 on, in the worst order", () => {
    const big = 2n ** 24n;
    expect(exactNumbers([big, 0n], [-big, 1n], [0n], 15)).toBeDefined();
    expect(exactNumbers([big, 0n], [-big, 1n], [0n], 16)).toBeUndefined();
    expect(exactNumbers([1n], [1n], [-(2n ** 52n)], 1)).toBeUndefined();
  });
});
