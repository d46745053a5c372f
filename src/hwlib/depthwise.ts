import { treeStages } from "./adder-tree.ts";
import { defineStreamModule, pipelined, programFront, sliceFront } from "./cycle-model.ts";
import { memoryImage, packWord } from "./memory-image.ts";
import type { ParameterValues } from "./module.ts";

const parameters = {
  C: { type: "int", min: 1 },
  K: { type: "int", min: 1 },
  PE: { type: "int", min: 1 },
  ROWS: { type: "int", min: 1 },
  PARALLEL: { type: "bit" },
  X_W: { type: "int", min: 1 },
  X_SIGNED: { type: "bit" },
  W_W: { type: "int", min: 1 },
  ACC_W: { type: "int", min: 1 },
  MULTIPLIER: { type: "int", min: 0, max: 1 },
  MEMORY: { type: "int", min: 0, max: 1 },
  WEIGHTS: { type: "string" },
  BIAS: { type: "string" },
} as const;

/**
 * Depthwise convolution behind a window: y[c] = bias[c] + sum over k < K of x[k][c] * w[c][k], exact; PE
 * channels at a time (PE divides C), CF = C/PE. MULTIPLIER 0: LUTs, 1: DSP slices.
 *
 * Streams. PARALLEL = 1: one beat a window, as `n2f_window_line` gives it: x[k][c] of row r at
 * (((r*K + k)*C + c)*X_W; PARALLEL = 0: CF*K beats, as `n2f_window_mem` with CHANNEL_MAJOR and P = PE gives them: beat
 * cf*K + k has x[k][cf*PE + p] at (r*PE + p)*X_W. Out: CF beats, beat cf: y[cf*PE + p] of row r at
 * (r*PE + p)*ACC_W.
 *
 * Cycles. PARALLEL = 1: CF steps a window, K*PE*ROWS multipliers; a window is taken in the last step of the
 * one before, or when idle; each step gives a beat L = `depthwiseStages` cycles later. PARALLEL = 0: CF*K steps,
 * PE*ROWS multipliers; each takes a beat, every K-th gives one L cycles later.
 */
export const depthwise = defineStreamModule({
  name: "n2f_depthwise",
  file: "nn/n2f_depthwise.sv",
  parameters,
  ports: {
    inputs: {
      clk: 1,
      rst: 1,
      s_valid: 1,
      s_data: (p) => p.ROWS * (p.PARALLEL ? p.K * p.C : p.PE) * p.X_W,
      m_ready: 1,
    },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.ROWS * p.PE * p.ACC_W },
  },
  uses: ["n2f_slicer", "n2f_lut", "n2f_rom", "n2f_rom_block", "n2f_dot", "n2f_dot_lut"],
  latencyCycles: (p) => (p.PARALLEL ? 1 : p.K - 1) + depthwiseStages(p),
  intervalCycles: (p) => (p.C / p.PE) * (p.PARALLEL ? 1 : p.K),
  constraint: (p) => (p.C % p.PE === 0 ? undefined : `PE=${p.PE} must divide C=${p.C}`),
  cycleModel(p) {
    const folds = p.C / p.PE;
    const front = p.PARALLEL
      ? sliceFront(folds, () => true)
      : programFront(
          folds * p.K,
          () => true,
          (step) => step % p.K === p.K - 1,
        );
    return pipelined(depthwiseStages(p), front);
  },
});

export type DepthwiseParameters = ParameterValues<typeof parameters>;

/** L: cycles from the last step of a block to the beat that it gives. */
export function depthwiseStages(
  p: Pick<DepthwiseParameters, "K" | "PARALLEL" | "MULTIPLIER">,
): number {
  return (p.MULTIPLIER === 1 ? 4 : 5) + (p.PARALLEL ? treeStages(p.K) : 0);
}

/**
 * The texts of the memory files. WEIGHTS: with PARALLEL, CF words, w[cf*PE + p][k] at (p*K + k)*W_W; without,
 * CF*K words, word cf*K + k with w[cf*PE + p][k] at p*W_W. BIAS: CF words, bias[cf*PE + p] at p*ACC_W.
 *
 * @param weights `[C][K]`
 * @param bias `[C]`, or empty for zeros
 */
export function depthwiseMemories(
  params: DepthwiseParameters,
  weights: readonly (readonly bigint[])[],
  bias: readonly bigint[],
): { readonly weights: string; readonly bias: string } {
  const { C, K, PE, PARALLEL, W_W, ACC_W } = params;
  const words: bigint[] = [];
  const sums: bigint[] = [];
  for (let first = 0; first < C; first += PE) {
    const rows = weights.slice(first, first + PE);
    if (PARALLEL) words.push(packWord(rows.flat(), W_W));
    else {
      for (let k = 0; k < K; k++) {
        words.push(
          packWord(
            rows.map((row) => row[k]),
            W_W,
          ),
        );
      }
    }
    sums.push(
      packWord(
        rows.map((_, p) => bias[first + p] ?? 0n),
        ACC_W,
      ),
    );
  }
  return {
    weights: memoryImage(words, PE * (PARALLEL ? K : 1) * W_W),
    bias: memoryImage(sums, PE * ACC_W),
  };
}
