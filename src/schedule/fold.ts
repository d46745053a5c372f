/** How a matrix product of `rows` vectors, k by n, is folded onto few multipliers. */
export interface Folding {
  readonly simd: number;
  readonly pe: number;
  readonly kSteps: number;
  readonly nSteps: number;
  readonly cycles: number;
}

/**
 * The fewest multipliers (simd * pe) that finish within `budget` cycles; of equals the quickest. Nothing
 * where even one multiplier for each weight is too slow.
 */
export function chooseFolding(
  rows: number,
  k: number,
  n: number,
  budget: number,
): Folding | undefined {
  let best: Folding | undefined;
  for (let kSteps = 1; kSteps <= k && rows * kSteps <= budget; kSteps++) {
    const simd = Math.ceil(k / kSteps);
    const usedK = Math.ceil(k / simd);
    const pe = Math.ceil(n / Math.min(n, Math.floor(budget / (rows * usedK))));
    const nSteps = Math.ceil(n / pe);
    const folding = { simd, pe, kSteps: usedK, nSteps, cycles: rows * usedK * nSteps };
    if (best === undefined || isBetter(folding, best)) best = folding;
  }
  return best;
}

function isBetter(a: Folding, b: Folding): boolean {
  const [ma, mb] = [a.simd * a.pe, b.simd * b.pe];
  return ma < mb || (ma === mb && a.cycles < b.cycles);
}
