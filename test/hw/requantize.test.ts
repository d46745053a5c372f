import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import {
  type Format,
  limit,
  maxCode,
  minCode,
  overflows,
  roundings,
  shiftRound,
} from "../../src/fixed/index.ts";
import { requantize, requantizeParameters } from "../../src/hwlib/index.ts";
import {
  buildVectorBench,
  instance,
  rtlFiles,
  temporaryFolder,
  tools,
  type VectorLane,
} from "../support/hw.ts";

const overflowModes = [...overflows, "NONE"] as const;

interface Case {
  readonly from: Format;
  readonly to: Format;
  readonly rounding: (typeof roundings)[number];
  readonly overflow: (typeof overflowModes)[number];
}

/** What the module must give; NONE takes the low bits, whatever the caller had proved. */
function reference(code: bigint, { from, to, rounding, overflow }: Case): bigint {
  const rounded = shiftRound(code, from.frac - to.frac, rounding);
  return limit(rounded, to, overflow === "NONE" ? "WRAP" : overflow);
}

function lane({ from, to, rounding, overflow }: Case): VectorLane {
  const params = requantizeParameters(from, to, rounding, overflow);
  return { xBits: from.width, yBits: to.width, body: instance(requantize, params) };
}

function describeCase({ from, to, rounding, overflow }: Case): string {
  const sign = (format: Format) => (format.signed ? "s" : "u") + format.width;
  return `${sign(from)} -> ${sign(to)}, shift ${from.frac - to.frac}, ${rounding}, ${overflow}`;
}

/** Every combination of small widths and shifts, with every mode. */
function smallCases(inWidths: number[], outWidths: number[], shifts: number[]): Case[] {
  const cases: Case[] = [];
  for (const inWidth of inWidths)
    for (const outWidth of outWidths)
      for (const shift of shifts)
        for (const inSigned of [false, true])
          for (const outSigned of [false, true])
            for (const rounding of roundings)
              for (const overflow of overflowModes) {
                const from = { signed: inSigned, width: inWidth, frac: shift };
                const to = { signed: outSigned, width: outWidth, frac: 0 };
                cases.push({ from, to, rounding, overflow });
              }
  return cases;
}

/** Differences, at most a few, as text. */
function compare(
  cases: readonly Case[],
  codes: readonly bigint[][],
  answers: readonly bigint[][],
): string[] {
  const wrong: string[] = [];
  codes.forEach((row, cycle) => {
    cases.forEach((each, i) => {
      const { from, to } = each;
      const code = from.signed
        ? BigInt.asIntN(from.width, row[i])
        : BigInt.asUintN(from.width, row[i]);
      const expected = BigInt.asUintN(to.width, reference(code, each));
      if (answers[cycle][i] !== expected && wrong.length < 10) {
        wrong.push(`${describeCase(each)}: ${code} gave ${answers[cycle][i]}, not ${expected}`);
      }
    });
  });
  return wrong;
}

/** All codes of the widest lane; a narrower one sees its own several times. */
function allCodes(cases: readonly Case[]): bigint[][] {
  const width = Math.max(...cases.map((each) => each.from.width));
  return Array.from({ length: 2 ** width }, (_, code) => cases.map(() => BigInt(code)));
}

describe.skipIf(!tools.verilator)("n2f_requantize under Verilator", () => {
  const folder = temporaryFolder();

  it("equals requantize for every code of every small parameter combination", () => {
    const cases = smallCases([1, 3], [1, 2, 5], [-6, -1, 0, 1, 2, 3, 4, 8]);
    const bench = buildVectorBench(folder.path, cases.map(lane), rtlFiles(requantize));
    const codes = allCodes(cases);
    expect(compare(cases, codes, bench.run(codes))).toEqual([]);
  });

  it("equals requantize on wide formats, corners and random codes", () => {
    const random = new Random(20261123);
    const cases = Array.from({ length: 160 }, (_, i): Case => {
      const inSigned = random.below(2) === 0;
      const outSigned = random.below(2) === 0;
      const inWidth = 5 + random.below(inSigned ? 60 : 59);
      const outWidth = 1 + random.below(outSigned ? 64 : 63);
      const shift = random.below(4) === 0 ? -random.below(20) : random.below(inWidth + 6);
      return {
        from: { signed: inSigned, width: inWidth, frac: shift },
        to: { signed: outSigned, width: outWidth, frac: 0 },
        rounding: roundings[i % 4],
        overflow: overflowModes[(i >> 2) % 4],
      };
    });
    const codes = Array.from({ length: 400 }, (_, cycle) =>
      cases.map(({ from, to }) => wideCode(from, to, cycle, random)),
    );
    const bench = buildVectorBench(folder.path, cases.map(lane), rtlFiles(requantize));
    expect(compare(cases, codes, bench.run(codes))).toEqual([]);
  });
});

/** Around zero, around the ends of both formats, half-way cases, and anything. */
function wideCode(from: Format, to: Format, cycle: number, random: Random): bigint {
  const shift = from.frac - to.frac;
  const scale = (code: bigint) =>
    shift >= 0 ? code << BigInt(shift) : code >> BigInt(Math.min(-shift, 200));
  const half = shift > 0 ? 1n << BigInt(shift - 1) : 0n;
  const bases = [0n, minCode(from), maxCode(from), scale(minCode(to)), scale(maxCode(to))];
  const near = BigInt(random.below(7) - 3);
  const kind = cycle % 8;
  if (kind < 5) return bases[kind] + near;
  const any = random.bigintBetween(minCode(from), maxCode(from));
  if (kind === 5) return any;
  if (kind === 6) return any >> BigInt(random.below(from.width));
  return ((any >> BigInt(Math.max(shift, 0))) << BigInt(Math.max(shift, 0))) + half;
}

describe.skipIf(!tools.verilator || !tools.yosys)("n2f_requantize as Yosys reads it", () => {
  const folder = temporaryFolder();

  it("equals requantize for every code of small parameter combinations", () => {
    const cases = smallCases([3], [1, 4], [-2, 0, 1, 2, 4]);
    const bench = buildVectorBench(folder.path, cases.map(lane), rtlFiles(requantize), {
      throughYosys: true,
    });
    const codes = allCodes(cases);
    expect(compare(cases, codes, bench.run(codes))).toEqual([]);
  });
});
