import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bitLength,
  bitsFor,
  containerBytes,
  formatText,
  makeFormat,
  maxCode,
  minCode,
  parsePrecision,
  precisionText,
} from "../../../src/fixed/index.ts";
import { problemOf } from "../../support/problem.ts";

const integer = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });

describe("bitLength", () => {
  test.each([
    0n,
    1n,
    2n,
    3n,
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 53n - 1n,
    2n ** 53n,
  ])("%s", (value) => expect(bitLength(value)).toBe(value === 0n ? 0 : value.toString(2).length));

  test("is the length in base two", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 1n << 63n }),
        (x) => bitLength(x) === x.toString(2).length,
      ),
    );
  });
});

describe("bitsFor", () => {
  test("gives the narrowest format that holds an interval", () => {
    fc.assert(
      fc.property(integer, integer, (a, b) => {
        const [lo, hi] = a < b ? [a, b] : [b, a];
        const { signed, width } = bitsFor(lo, hi);
        const holds = (w: number) => {
          const format = { signed, width: w, frac: 0 };
          return minCode(format) <= lo && hi <= maxCode(format);
        };
        expect(signed).toBe(lo < 0n);
        expect(holds(width)).toBe(true);
        if (width > 1) expect(holds(width - 1)).toBe(false);
      }),
    );
  });
});

describe("notation of hls4ml", () => {
  test.each([
    ["fixed<16,6>", "fixed<16,6,RND,SAT>"],
    ["ap_fixed<8,3,TRN,WRAP>", "fixed<8,3,TRN,WRAP>"],
    ["ufixed<8, -2>", "ufixed<8,-2,RND,SAT>"],
    ["ap_ufixed<4,8,RND_CONV,SAT_SYM>", "ufixed<4,8,RND_CONV,SAT_SYM>"],
    ["ap_int<8>", "fixed<8,8,RND,SAT>"],
    ["uint<4>", "ufixed<4,4,RND,SAT>"],
  ])("%s", (text, canonical) => expect(precisionText(parsePrecision(text))).toBe(canonical));

  test.each([
    "fixed<16>",
    "fixed<0,0>",
    "fixed<65,3>",
    "int<8,4>",
    "float",
    "fixed<16,6,UP>",
    "fixed<a,b>",
    "",
  ])("%s is refused", (text) => {
    const problem = problemOf(() => parsePrecision(text));
    expect(["N2F_OPTION_INVALID", "N2F_FORMAT_RANGE"]).toContain(problem?.code);
  });

  test("an unsigned format has 63 bits at most, so that every code fits a signed word", () => {
    expect(formatText(makeFormat(false, 63, 0))).toBe("ufixed<63,63>");
    expect(problemOf(() => makeFormat(false, 64, 0))?.code).toBe("N2F_FORMAT_RANGE");
  });
});

test("containers are the next power of two in bytes", () => {
  const bytes = [1, 8, 9, 16, 17, 32, 33, 64].map((width) =>
    containerBytes(makeFormat(true, width, 0)),
  );
  expect(bytes).toEqual([1, 1, 2, 2, 4, 4, 8, 8]);
});
