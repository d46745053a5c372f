import { assert } from "../base/index.ts";
import { treeStages } from "./adder-tree.ts";
import { defineStreamModule, pipelined, programFront, sliceFront } from "./cycle-model.ts";
import { isExactChain, pairedChain, pairedDelay } from "./dot-pair.ts";
import { memoryImage, packWord } from "./memory-image.ts";
import type { ParameterValues } from "./module.ts";

/** MULTIPLIER: how products are made. */
export const multiplierCode = { lut: 0, dsp: 1, pairedDsp: 2 } as const;

/** MEMORY: where constants live. */
export const memoryCode = { lut: 0, block: 1 } as const;

const parameters = {
  K: { type: "int", min: 1 },
  N: { type: "int", min: 1 },
  SIMD: { type: "int", min: 1 },
  PE: { type: "int", min: 1 },
  ROWS: { type: "int", min: 1 },
  PARALLEL: { type: "bit" },
  X_W: { type: "int", min: 1 },
  X_SIGNED: { type: "bit" },
  W_W: { type: "int", min: 1 },
  ACC_W: { type: "int", min: 1 },
  MULTIPLIER: { type: "int", min: 0, max: 2 },
  CHAIN: { type: "int", min: 1, max: 100 },
  MEMORY: { type: "int", min: 0, max: 1 },
  WEIGHTS: { type: "string" },
  BIAS: { type: "string" },
} as const;

/**
 * Folded matrix-vector unit: y[n] = bias[n] + sum over k of x[k] * w[n][k], k < K, n < N, exact; SIMD elements
 * of x and PE of y at a time. SF = ceil(K/SIMD), NF = ceil(N/PE) (`mvuFolds`); what does not divide is filled
 * with zero weights. ROWS vectors run side by side with the same weights (ROWS*PE*SIMD multipliers).
 *
 * Streams. PARALLEL = 0: SF beats a vector, beat s: x[s*SIMD + i] of row r at (r*SIMD + i)*X_W. PARALLEL = 1:
 * one beat a vector, x[k] of row r at (r*K + k)*X_W. Out: NF beats a vector, beat f: y[f*PE + p] of row r at
 * (r*PE + p)*ACC_W, signed; channels >= N in the last beat are zeros.
 *
 * Cycles. SF*NF steps a vector, block of PE by block, each a step per SIMD elements. A step happens in a cycle
 * in which the pipeline moves (nothing is offered or it is taken). PARALLEL = 0: the first SF steps each take
 * a beat and wait for it (later blocks read a buffer). PARALLEL = 1: a vector is taken in the last step of the
 * one before, or when idle; its first step is in the next cycle. The last step of each block of PE gives
 * a beat, L = `mvuStages` cycles later. No bubbles: interval SF*NF.
 */
export const mvu = defineStreamModule({
  name: "n2f_mvu",
  file: "nn/n2f_mvu.sv",
  parameters,
  ports: {
    inputs: {
      clk: 1,
      rst: 1,
      s_valid: 1,
      s_data: (p) => p.ROWS * (p.PARALLEL ? p.K : p.SIMD) * p.X_W,
      m_ready: 1,
    },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.ROWS * p.PE * p.ACC_W },
  },
  uses: [
    ...["n2f_lut", "n2f_rom", "n2f_rom_block", "n2f_mvu_weights"],
    ...["n2f_dot", "n2f_dot_lut", "n2f_dot_pair"],
  ],
  latencyCycles: (p) => (p.PARALLEL ? 1 : 0) + mvuFolds(p).SF - 1 + mvuStages(p),
  intervalCycles: (p) => mvuFolds(p).SF * mvuFolds(p).NF,
  constraint(p) {
    if (p.SIMD > p.K) return `SIMD=${p.SIMD}, must be at most K=${p.K}`;
    if (p.PE > p.N) return `PE=${p.PE}, must be at most N=${p.N}`;
    if (p.CHAIN > p.SIMD) return `CHAIN=${p.CHAIN}, must be at most SIMD=${p.SIMD}`;
    if (p.MULTIPLIER === multiplierCode.pairedDsp && pairedChain(p) < 1) {
      return `X_W=${p.X_W} and W_W=${p.W_W} are too wide for two products in a DSP slice`;
    }
    return undefined;
  },
  cycleModel(p) {
    const { SF, NF } = mvuFolds(p);
    const endsBlock = (step: number) => step % SF === SF - 1;
    const front = p.PARALLEL
      ? sliceFront(SF * NF, endsBlock)
      : programFront(SF * NF, (step) => step < SF, endsBlock);
    return pipelined(mvuStages(p), front);
  },
});

export type MvuParameters = ParameterValues<typeof parameters>;

/** SF steps along the vector and NF along the result. */
export function mvuFolds(p: Pick<MvuParameters, "K" | "N" | "SIMD" | "PE">): {
  readonly SF: number;
  readonly NF: number;
} {
  return { SF: Math.ceil(p.K / p.SIMD), NF: Math.ceil(p.N / p.PE) };
}

/** L: cycles from the last step of a block to the beat that it gives. */
export function mvuStages(p: Pick<MvuParameters, "SIMD" | "MULTIPLIER" | "CHAIN">): number {
  if (p.MULTIPLIER === multiplierCode.lut) return 5 + treeStages(p.SIMD);
  if (p.MULTIPLIER === multiplierCode.dsp) return 4 + treeStages(p.SIMD);
  return 5 + p.CHAIN + treeStages(Math.ceil(p.SIMD / p.CHAIN));
}

/**
 * The unit's memory files: texts by names. WEIGHTS has SF*NF words, word f*SF + s with
 * w[f*PE + p][s*SIMD + i] at bit (p*SIMD + i)*W_W; BIAS has NF words, word f with bias[f*PE + p] at bit
 * p*ACC_W. MULTIPLIER = 2: of WEIGHTS a file for each place of the chains, with the elements of this place.
 *
 * @param weights `[N][K]`; MULTIPLIER = 2: such that no lower sum of a chain leaves its bits
 * @param bias `[N]`, or empty for zeros
 */
export function mvuMemories(
  params: MvuParameters,
  weights: readonly (readonly bigint[])[],
  bias: readonly bigint[],
): ReadonlyMap<string, string> {
  const { K, N, SIMD, PE, W_W, ACC_W, MULTIPLIER, CHAIN, WEIGHTS, BIAS } = params;
  const { SF, NF } = mvuFolds(params);
  assert(weights.length === N, `${weights.length} rows of weights, N=${N}`);
  assert(bias.length === N || bias.length === 0, `${bias.length} biases, N=${N}`);
  const limit = 1n << BigInt(W_W - 1);
  for (const row of weights) {
    assert(row.length === K, `${row.length} weights in a row, K=${K}`);
    for (const weight of row) {
      assert(weight >= -limit && weight < limit, `weight ${weight}, W_W=${W_W}`);
    }
  }
  const all = Array.from({ length: SIMD }, (_, i) => i);
  const image = (elements: readonly number[]) => {
    const words: bigint[] = [];
    for (let block = 0; block < NF; block++) {
      for (let step = 0; step < SF; step++) {
        const word: bigint[] = [];
        for (let n = block * PE; n < (block + 1) * PE; n++)
          for (const i of elements) word.push(weights[n]?.[step * SIMD + i] ?? 0n);
        words.push(packWord(word, W_W));
      }
    }
    return memoryImage(words, PE * elements.length * W_W);
  };
  const files = new Map<string, string>();
  if (MULTIPLIER !== multiplierCode.pairedDsp) files.set(WEIGHTS, image(all));
  else {
    checkChains(params, weights);
    for (let place = 0; place < CHAIN; place++) {
      const elements = all.filter((i) => pairedDelay(i, SIMD, CHAIN) === place);
      files.set(`${WEIGHTS}${String(place).padStart(2, "0")}.hex`, image(elements));
    }
  }
  const biasWords = Array.from({ length: NF }, (_, block) => {
    const sums = Array.from({ length: PE }, (__, p) => bias[block * PE + p] ?? 0n);
    return packWord(sums, ACC_W);
  });
  files.set(BIAS, memoryImage(biasWords, PE * ACC_W));
  return files;
}

/** The lower product of a pair is that of an even one among the PE. */
function checkChains(params: MvuParameters, weights: readonly (readonly bigint[])[]): void {
  const { K, SIMD, PE, CHAIN } = params;
  weights.forEach((row, n) => {
    if ((n % PE) % 2 === 1) return;
    for (let from = 0; from < K; from += SIMD) {
      for (let first = from; first < from + SIMD; first += CHAIN) {
        const some = row.slice(first, Math.min(first + CHAIN, from + SIMD)).map(Number);
        const positive = some.reduce((sum, w) => sum + Math.max(0, w), 0);
        const negative = some.reduce((sum, w) => sum + Math.max(0, -w), 0);
        assert(
          isExactChain({ positive, negative }, params),
          `CHAIN=${CHAIN} is too long for row ${n} from ${first} on`,
        );
      }
    }
  });
}
