import { expect, it } from "vitest";
import { makeFormat } from "../../../src/fixed/index.ts";
import { type PrimitiveOp, Ranges } from "../../../src/ir/index.ts";
import { opTable } from "../../../src/ops/index.ts";

it("refuses codes beyond 64 bits instead of wrapping them", () => {
  expect(() => Ranges.all(-(2n ** 63n), 2n ** 63n)).toThrow("N2F_FORMAT_RANGE");
  expect(() => Ranges.each(2, (i) => [0n, 2n ** BigInt(62 + i)])).toThrow("N2F_FORMAT_RANGE");
});

it("so refuses a product of two values of 40 bits", () => {
  const format = makeFormat(true, 40, 0);
  const quant = { format, ranges: Ranges.ofFormat(format) };
  const x = { shape: [2], dtype: "float", quant } as const;
  expect(() => (opTable.mul as PrimitiveOp).quant([x, x], {})).toThrow(
    "N2F_FORMAT_RANGE: a signed format of 80 bits was asked for",
  );
});
