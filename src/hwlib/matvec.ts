import { assert } from "../base/index.ts";
import { bitsFor } from "../fixed/index.ts";
import { treeStages } from "./adder-tree.ts";
import { memoryImage, packWord } from "./memory-image.ts";
import { defineModule, type ParameterValues } from "./module.ts";

/** Folded engine for a constant matrix times vectors, plus bias: `PE * SIMD` multipliers. */
export const matvec = defineModule({
  name: "n2f_matvec",
  file: "nn/n2f_matvec.sv",
  parameters: {
    ROWS: { type: "int", min: 1 },
    K_STEPS: { type: "int", min: 1 },
    SIMD: { type: "int", min: 1 },
    N_STEPS: { type: "int", min: 1 },
    PE: { type: "int", min: 1 },
    X_W: { type: "int", min: 1 },
    X_SIGNED: { type: "bit" },
    W_W: { type: "int", min: 1 },
    ACC_W: { type: "int", min: 1 },
    PASS_W: { type: "int", min: 1 },
    WEIGHTS: { type: "string" },
    BIAS: { type: "string" },
  },
  ports: {
    inputs: {
      clk: 1,
      rst: 1,
      s_valid: 1,
      s_data: (p) => p.ROWS * p.K_STEPS * p.SIMD * p.X_W,
      s_pass: (p) => p.PASS_W,
      m_ready: 1,
    },
    outputs: {
      s_ready: 1,
      m_valid: 1,
      m_data: (p) => p.ROWS * p.N_STEPS * p.PE * p.ACC_W,
      m_pass: (p) => p.PASS_W,
    },
  },
  uses: ["n2f_rom", "n2f_dot"],
  latencyCycles: (p) => p.ROWS * p.K_STEPS * p.N_STEPS + matvecDrainCycles(p.SIMD),
  intervalCycles: (p) => p.ROWS * p.K_STEPS * p.N_STEPS,
});

export type MatvecParameters = ParameterValues<typeof matvec.parameters>;

/** D: cycles from a vector's last step to its result. */
export function matvecDrainCycles(simd: number): number {
  return 3 + treeStages(simd);
}

/**
 * The texts of the engine's two memory files.
 *
 * @param weights `[n][k]`; what is missing up to `N_STEPS * PE` by `K_STEPS * SIMD` is zero
 * @param bias `[n]`, likewise
 */
export function matvecMemories(
  params: MatvecParameters,
  weights: readonly (readonly bigint[])[],
  bias: readonly bigint[],
): { readonly weights: string; readonly bias: string } {
  const { K_STEPS, SIMD, N_STEPS, PE, W_W, ACC_W } = params;
  assert(
    weights.length <= N_STEPS * PE,
    `${weights.length} rows, the engine makes ${N_STEPS * PE}`,
  );
  assert(bias.length <= N_STEPS * PE, `${bias.length} biases, the engine makes ${N_STEPS * PE}`);
  for (const row of weights) {
    assert(row.length <= K_STEPS * SIMD, `${row.length} columns, the engine has ${K_STEPS * SIMD}`);
    for (const weight of row) {
      const { signed, width } = bitsFor(weight, weight);
      assert(width + (signed ? 0 : 1) <= W_W || weight === 0n, `weight ${weight}, W_W=${W_W}`);
    }
  }

  const weightWords: bigint[] = [];
  const biasWords: bigint[] = [];
  for (let nStep = 0; nStep < N_STEPS; nStep++) {
    for (let kStep = 0; kStep < K_STEPS; kStep++) {
      const elements: bigint[] = [];
      for (let n = nStep * PE; n < (nStep + 1) * PE; n++) {
        for (let k = kStep * SIMD; k < (kStep + 1) * SIMD; k++) {
          elements.push(weights[n]?.[k] ?? 0n);
        }
      }
      weightWords.push(packWord(elements, W_W));
    }
    const sums = Array.from({ length: PE }, (_, pe) => bias[nStep * PE + pe] ?? 0n);
    biasWords.push(packWord(sums, ACC_W));
  }
  return {
    weights: memoryImage(weightWords, PE * SIMD * W_W),
    bias: memoryImage(biasWords, PE * ACC_W),
  };
}
