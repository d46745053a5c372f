import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signedDigits } from "../../../src/schedule/csd.ts";
import { planSharedSums, type SumPlan } from "../../../src/schedule/shared-sums.ts";

type Matrix = readonly (readonly bigint[])[];

/** The matrix that a plan multiplies by: every variable as a row of coefficients, in fixed point. */
function matrixOf({ shared, outputs }: SumPlan, inputs: number): Matrix {
  // Relative shifts may go to the right, so everything is kept times 2^spare.
  const spare = 256n;
  const rows: bigint[][] = Array.from({ length: inputs }, (_, i) =>
    Array.from({ length: inputs }, (__, k) => (i === k ? 1n << spare : 0n)),
  );
  const shifted = (value: bigint, shift: number) =>
    shift >= 0 ? value << BigInt(shift) : value >> BigInt(-shift);
  for (const { a, b, shift, sign } of shared) {
    rows.push(rows[a].map((value, k) => value + BigInt(sign) * shifted(rows[b][k], shift)));
  }
  return outputs.map((terms) =>
    Array.from({ length: inputs }, (_, k) => {
      const sum = terms.reduce(
        (total, { variable, shift, sign }) =>
          total + BigInt(sign) * shifted(rows[variable][k], shift),
        0n,
      );
      expect(BigInt.asUintN(Number(spare), sum)).toBe(0n);
      return sum >> spare;
    }),
  );
}

const additions = ({ shared, outputs }: SumPlan): number =>
  shared.length + outputs.reduce((sum, terms) => sum + Math.max(0, terms.length - 1), 0);

const withoutSharing = (matrix: Matrix): number =>
  matrix.reduce((sum, row) => {
    const digits = row.reduce((total, weight) => total + signedDigits(weight).length, 0);
    return sum + Math.max(0, digits - 1);
  }, 0);

const arbitraryMatrix = (bits: number, maxInputs: number): fc.Arbitrary<Matrix> => {
  const reach = 1n << BigInt(bits - 1);
  const weight = fc.oneof(
    fc.constant(0n),
    fc.bigInt({ min: -4n, max: 4n }),
    fc.bigInt({ min: -reach, max: reach - 1n }),
  );
  return fc.integer({ min: 1, max: maxInputs }).chain((inputs) =>
    fc.array(fc.array(weight, { minLength: inputs, maxLength: inputs }), {
      minLength: 1,
      maxLength: 8,
    }),
  );
};

describe("shared sums", () => {
  it.each([
    [6, 8],
    [16, 6],
    [40, 4],
  ])("of %i-bit weights give the matrix again, with no addition more", (bits, maxInputs) => {
    fc.assert(
      fc.property(arbitraryMatrix(bits, maxInputs), (matrix) => {
        const plan = planSharedSums(matrix, matrix[0].length);
        expect(matrixOf(plan, matrix[0].length)).toEqual(matrix);
        expect(additions(plan)).toBeLessThanOrEqual(withoutSharing(matrix));
      }),
    );
  });

  it("make a sum that two outputs need once", () => {
    const plan = planSharedSums(
      [
        [5n, 5n],
        [5n, 5n],
        [-10n, -10n],
      ],
      2,
    );
    expect(matrixOf(plan, 2)).toEqual([
      [5n, 5n],
      [5n, 5n],
      [-10n, -10n],
    ]);
    expect(additions(plan)).toBe(2);
  });

  it("need nothing for rows of zeros, nor for none", () => {
    expect(planSharedSums([[0n, 0n]], 2)).toEqual({ shared: [], outputs: [[]] });
    expect(additions(planSharedSums([[0n], [0n]], 1))).toBe(0);
    expect(planSharedSums([], 3)).toEqual({ shared: [], outputs: [] });
  });

  it("are looked for in blocks where rows are long", () => {
    const inputs = 200;
    const matrix = Array.from({ length: 3 }, (_, n) =>
      Array.from({ length: inputs }, (__, k) => BigInt(((k * 37 + n * 11) % 251) - 125)),
    );
    const plan = planSharedSums(matrix, inputs);
    expect(matrixOf(plan, inputs)).toEqual(matrix);
    expect(additions(plan)).toBeLessThan(withoutSharing(matrix));
  });
});
