import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type StepRounding, stepRoundings } from "../../../src/fixed/index.ts";
import type { Kernel } from "../../../src/ir/index.ts";
import { type CodeInterval, stepKernel } from "../../../src/ops/family/step-kernel.ts";
import { type StepRule, stepFunction } from "../../../src/ops/family/step-rule.ts";
import { interpret } from "../emulator/oracle.ts";

const formats = [
  [-128, 127],
  [0, 255],
  [-127, 127],
  [-8, 7],
  [-1, 1],
  [0, 3],
  [-300, 1000],
] as const;

const float32 = (min: number, max: number) =>
  fc.double({ min, max, noNaN: true, noDefaultInfinity: true }).map(Math.fround);

const arbitraryRule: fc.Arbitrary<StepRule> = fc.record({
  mul: fc.oneof(fc.constantFrom(1, 0.5, -2), float32(-2, 2)),
  add: fc.oneof(fc.constant(0), float32(-100, 100)),
  div: fc.oneof(fc.constantFrom(1, 8, 6, 0.25), float32(0.01, 60)),
  zeroPoint: fc.constantFrom(0, 0, -128, 3, 117),
  lo: fc.constant(0),
  hi: fc.constant(0),
  rounding: fc.constantFrom<StepRounding[]>(...stepRoundings),
  arithmetic: fc.constantFrom("exact", "float32"),
});

/** Channels that share bounds and rounding, as those of one operator do, with a short interval each. */
const arbitraryProblem = fc.tuple(
  fc.array(arbitraryRule, { minLength: 1, maxLength: 3 }),
  fc.constantFrom(...formats),
  fc.array(fc.tuple(fc.integer({ min: -4000, max: 4000 }), fc.nat({ max: 1200 })), {
    minLength: 3,
    maxLength: 3,
  }),
  fc.integer({ min: -2, max: 4 }),
);

type Problem = typeof arbitraryProblem extends fc.Arbitrary<infer T> ? T : never;

function solve([channels, [lo, hi], spans, frac]: Problem) {
  const [{ rounding, arithmetic }] = channels;
  const rules = channels.map((rule) => ({ ...rule, lo, hi, rounding, arithmetic }));
  const intervals = rules.map((_, c): CodeInterval => {
    const [start, length] = spans[c];
    return [BigInt(start), BigInt(start + length)];
  });
  const place = { channels: rules.length, inner: 1 };
  return { rules, intervals, frac, kernel: stepKernel(rules, intervals, frac, place) };
}

/** The kernel's answer for every code of every channel equals the rule's. */
function expectEqualEverywhere({ rules, intervals, frac, kernel }: ReturnType<typeof solve>): void {
  rules.forEach((rule, c) => {
    const exact = stepFunction(rule, frac);
    const codes: bigint[] = [];
    for (let x = intervals[c][0]; x <= intervals[c][1]; x++) codes.push(x);
    const answers = codes.map((x) => {
      const args = rules.map(() => x);
      return interpret(kernel, [args], rules.length)[c];
    });
    expect(answers).toEqual(codes.map(exact));
  });
}

describe("the kernel of a quantization", () => {
  it("equals the exact rule for every code of its interval", () => {
    const kinds = new Map<Kernel["kind"], number>();
    fc.assert(
      fc.property(arbitraryProblem, (problem) => {
        const solved = solve(problem);
        kinds.set(solved.kernel.kind, (kinds.get(solved.kernel.kind) ?? 0) + 1);
        expectEqualEverywhere(solved);
      }),
      { numRuns: 300, seed: 1 },
    );
    // All three ways were taken.
    expect(kinds.get("scale")).toBeGreaterThan(0);
    expect(kinds.get("threshold")).toBeGreaterThan(0);
    expect(kinds.get("requantize")).toBeGreaterThan(0);
  });

  const rule: StepRule = {
    mul: 1,
    add: 0,
    div: 1,
    zeroPoint: 0,
    lo: -128,
    hi: 127,
    rounding: "half_even",
    arithmetic: "exact",
  };
  const accumulator: CodeInterval = [-(1n << 20n), 1n << 20n];
  const kernelOf = (changes: Partial<StepRule>, interval = accumulator) =>
    stepKernel([{ ...rule, ...changes }], [interval], 0, { channels: 1, inner: 1 });

  it("is a shift where the scale is a power of two", () => {
    expect(kernelOf({ div: 16 })).toEqual({
      kind: "requantize",
      shift: 4,
      rounding: "RND_CONV",
      overflow: "SAT",
      signed: true,
      width: 8,
    });
    expect(kernelOf({ div: 16, lo: -127 })).toMatchObject({ overflow: "SAT_SYM" });
    expect(kernelOf({ div: 0.5, lo: 0, hi: 15 })).toMatchObject({ shift: -1, signed: false });
  });

  it("is a multiplier where it is not, with as few bits as the steps allow", () => {
    const kernel = kernelOf({ mul: Math.fround(0.0123), div: Math.fround(0.77), zeroPoint: -3 });
    expect(kernel).toMatchObject({ kind: "scale", rounding: "TRN", lo: -128n, hi: 127n });
    if (kernel.kind !== "scale") throw new Error(kernel.kind);
    expect(kernel.m[0]).toBeLessThan(2 ** 21);
  });

  it("keeps ties to even where the scale has them", () => {
    // The mean of four numbers of one scale, with an odd zero point.
    expect(kernelOf({ div: 4, zeroPoint: -89 }, [-600n, 600n])).toMatchObject({
      kind: "scale",
      rounding: "RND_CONV",
      shift: 2,
      offset: -89n,
    });
  });

  it("is a list of steps where no multiplier has its ties", () => {
    expect(kernelOf({ div: 6, lo: -2, hi: 2 }, [-50n, 50n])).toMatchObject({
      kind: "threshold",
      count: 4,
      base: Float64Array.of(-2),
      thresholds: BigInt64Array.of(-8n, -3n, 4n, 9n),
    });
  });
});
