import fc from "fast-check";
import { expect, it } from "vitest";
import { chooseFolding } from "../../../src/schedule/index.ts";

const extent = (max: number) => fc.integer({ min: 1, max });

it("folds onto the fewest multipliers that finish in time, and of these as quickly as can be", () => {
  fc.assert(
    fc.property(extent(3), extent(12), extent(12), extent(200), (rows, k, n, budget) => {
      let best: readonly [number, number] | undefined;
      for (let simd = 1; simd <= k; simd++) {
        for (let pe = 1; pe <= n; pe++) {
          const cycles = rows * Math.ceil(k / simd) * Math.ceil(n / pe);
          if (cycles > budget) continue;
          const found = [simd * pe, cycles] as const;
          if (best === undefined || found[0] < best[0]) best = found;
          else if (found[0] === best[0] && found[1] < best[1]) best = found;
        }
      }
      const folding = chooseFolding(rows, k, n, budget);
      expect(folding && [folding.simd * folding.pe, folding.cycles]).toEqual(best);
      if (folding === undefined) return;
      const { simd, pe, kSteps, nSteps, cycles } = folding;
      expect(simd * kSteps).toBeGreaterThanOrEqual(k);
      expect(pe * nSteps).toBeGreaterThanOrEqual(n);
      expect(cycles).toBe(rows * kSteps * nSteps);
    }),
    { numRuns: 500 },
  );
});
