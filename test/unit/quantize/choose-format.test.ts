import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { codeToReal, maxCode, minCode, realToCode } from "../../../src/fixed/index.ts";
import {
  type CalibrationMethod,
  calibratedPrecision,
  formatForRange,
} from "../../../src/quantize/index.ts";

const reach = fc.double({ noNaN: true, min: 1e-6, max: 1e6 });
const range = fc.oneof(
  reach.map((max) => [0, max] as const),
  fc.tuple(reach, fc.oneof(reach, fc.constant(0))).map(([low, max]) => [-low, max] as const),
);

describe("the format for a range", () => {
  const reaches = (format: ReturnType<typeof formatForRange>, min: number, max: number) => {
    const half = 2 ** -format.frac / 2;
    const [low, high] = [codeToReal(minCode(format), format), codeToReal(maxCode(format), format)];
    return low <= min && high >= max - half;
  };

  it("reaches both ends, the upper to half a step, and one bit finer would not", () => {
    fc.assert(
      fc.property(range, fc.integer({ min: 2, max: 32 }), ([min, max], widthBits) => {
        const format = formatForRange(min, max, widthBits);
        expect(format).toMatchObject({ signed: min < 0, width: widthBits });
        expect(reaches(format, min, max)).toBe(true);
        expect(reaches({ ...format, frac: format.frac + 1 }, min, max)).toBe(false);
      }),
    );
  });

  it("of zero alone has no bits above the point", () => {
    expect(formatForRange(0, 0, 8)).toEqual({ signed: false, width: 8, frac: 7 });
  });
});

describe("calibration", () => {
  /** A thousand numbers within one, and a few far out. */
  const random = new Random(4);
  const sample = Float64Array.from({ length: 1000 }, (_, i) =>
    i % 400 === 399 ? 100 : 2 * random.uniform() - 1,
  );
  const statistics = { min: Math.min(...sample), max: Math.max(...sample), sample };
  const chosen = (method: CalibrationMethod, percentile = 99.9) =>
    calibratedPrecision(statistics, 8, { method, percentile }).format;
  const squaredError = (format: ReturnType<typeof chosen>) =>
    sample.reduce((sum, x) => sum + (x - codeToReal(realToCode(x, format), format)) ** 2, 0);

  it("by the extremes saturates nothing", () => {
    const format = chosen("minmax");
    expect(codeToReal(maxCode(format), format)).toBeGreaterThanOrEqual(100);
  });

  it("by a percentile cuts outliers off", () => {
    const format = chosen("percentile", 99);
    expect(codeToReal(maxCode(format), format)).toBeLessThan(2);
    expect(chosen("percentile", 100)).toEqual(chosen("minmax"));
  });

  it("by least squares is never worse than by the extremes, and better where it may saturate", () => {
    expect(squaredError(chosen("mse"))).toBeLessThanOrEqual(squaredError(chosen("minmax")));
    const noisy = Float64Array.from({ length: 4000 }, (_, i) =>
      i === 0 ? 1.7 : random.normal() / 8,
    );
    const seen = { min: Math.min(...noisy), max: 1.7, sample: noisy };
    const error = (method: CalibrationMethod) => {
      const { format } = calibratedPrecision(seen, 5, { method, percentile: 99.9 });
      return noisy.reduce(
        (sum, x) => sum + (x - codeToReal(realToCode(x, format), format)) ** 2,
        0,
      );
    };
    expect(error("mse")).toBeLessThan(error("minmax"));
  });

  it("keeps a sign that was seen", () => {
    const signed = calibratedPrecision(
      { min: -0.001, max: 4, sample: Float64Array.of(-0.001, 4, 3, 2) },
      8,
      { method: "percentile", percentile: 50 },
    );
    expect(signed.format.signed).toBe(true);
  });
});
