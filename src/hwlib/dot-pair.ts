import { treeStages } from "./adder-tree.ts";
import { defineModule } from "./module.ts";

/**
 * Two dot products with the same x, a DSP slice for every two products, whose sums run through chains of
 * CHAIN slices: element i comes `pairedDelay` cycles later than those of the first place.
 */
export const dotPair = defineModule({
  name: "n2f_dot_pair",
  file: "arith/n2f_dot_pair.sv",
  parameters: {
    LENGTH: { type: "int", min: 1 },
    CHAIN: { type: "int", min: 1 },
    X_W: { type: "int", min: 1, max: 18 },
    X_SIGNED: { type: "bit" },
    W_W: { type: "int", min: 1, max: 12 },
    Y_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, en: 1, x: (p) => p.LENGTH * p.X_W, w: (p) => 2 * p.LENGTH * p.W_W },
    outputs: { y: (p) => 2 * p.Y_W },
  },
  uses: ["n2f_pair_slice", "n2f_adder_tree"],
  latencyCycles: (p) => 3 + p.CHAIN + treeStages(Math.ceil(p.LENGTH / p.CHAIN)),
  intervalCycles: () => 1,
});

/** What the factors of a paired product are. */
export interface PairedFactors {
  readonly X_W: number;
  readonly X_SIGNED: boolean;
  readonly W_W: number;
}

/** S: bits of the lower sum. */
function lowerBits(W_W: number): number {
  return 26 - W_W;
}

/**
 * How many products (w1 * 2^S + w0) * x may be added up, whatever their factors, before the lower sum could
 * leave its S = 26 - W_W bits; 0 where the factors do not fit a DSP48E2 (27 x 18 bits). 7 for int8 by int8,
 * 4 for uint8 by int8.
 */
export function pairedChain({ X_W, X_SIGNED, W_W }: PairedFactors): number {
  if ((X_SIGNED ? X_W : X_W + 1) > 18 || W_W > 12) return 0;
  const greatest = 2 ** (W_W - 1) * (X_SIGNED ? 2 ** (X_W - 1) : 2 ** X_W - 1);
  return Math.floor((2 ** (lowerBits(W_W) - 1) - 1) / greatest);
}

/** D: how many cycles later than those of the first place element i comes. */
export function pairedDelay(i: number, LENGTH: number, CHAIN: number): number {
  const chains = Math.ceil(LENGTH / CHAIN);
  return (i % CHAIN) + (Math.floor(i / CHAIN) === chains - 1 ? chains * CHAIN - LENGTH : 0);
}

/** Whether the products of some weights with any x stay within the bits of the lower sum. */
export function isExactChain(
  weights: { readonly positive: number; readonly negative: number },
  { X_W, X_SIGNED, W_W }: PairedFactors,
): boolean {
  const most = X_SIGNED ? 2 ** (X_W - 1) - 1 : 2 ** X_W - 1;
  const least = X_SIGNED ? 2 ** (X_W - 1) : 0;
  const limit = 2 ** (lowerBits(W_W) - 1);
  const { positive, negative } = weights;
  return positive * most + negative * least < limit && positive * least + negative * most <= limit;
}

/**
 * Slices of a chain that make chains even and as long as these weights allow, up to `longest`: exact for
 * all rows and for all steps of SIMD weights.
 *
 * @param rows `[n][k]`
 */
export function exactChain(
  rows: readonly ArrayLike<number>[],
  SIMD: number,
  factors: PairedFactors,
  longest: number,
): number {
  const certain = Math.min(SIMD, pairedChain(factors));
  for (let chains = Math.ceil(SIMD / longest); ; chains++) {
    const chain = Math.ceil(SIMD / chains);
    if (chain <= certain || rows.every((row) => isExact(row, SIMD, chain, factors))) return chain;
  }
}

function isExact(
  row: ArrayLike<number>,
  SIMD: number,
  chain: number,
  factors: PairedFactors,
): boolean {
  for (let from = 0; from < row.length; from += SIMD) {
    const end = Math.min(row.length, from + SIMD);
    for (let first = from; first < end; first += chain) {
      let [positive, negative] = [0, 0];
      for (let k = first; k < first + chain && k < end; k++) {
        if (row[k] > 0) positive += row[k];
        else negative -= row[k];
      }
      if (!isExactChain({ positive, negative }, factors)) return false;
    }
  }
  return true;
}
