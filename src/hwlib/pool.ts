import { defineStreamModule, pipelined, programFront, sliceFront } from "./cycle-model.ts";
import type { ParameterValues } from "./module.ts";
import { reduceTreeStages } from "./reduce-tree.ts";

/** OP of the pooling and reducing modules. */
export const reduceCode = { max: 0, sum: 1, min: 2, argmax: 3 } as const;

const parameters = {
  C: { type: "int", min: 1 },
  K: { type: "int", min: 1 },
  PE: { type: "int", min: 1 },
  ROWS: { type: "int", min: 1 },
  PARALLEL: { type: "bit" },
  OP: { type: "int", min: 0, max: 2 },
  X_W: { type: "int", min: 1 },
  X_SIGNED: { type: "bit" },
  Y_W: { type: "int", min: 1 },
} as const;

/**
 * Pooling behind a window: the maximum, sum or minimum (OP 0, 1, 2) over K taps of each of C channels, PE
 * channels at a time (PE divides C), CF = C/PE. Sums are exact if Y_W holds them; Y is signed as X is.
 *
 * Streams. As `n2f_depthwise`: PARALLEL = 1: one beat a window, x[k][c] of row r at ((r*K + k)*C + c)*X_W;
 * PARALLEL = 0: CF*K beats, beat cf*K + k with x[k][cf*PE + p] at (r*PE + p)*X_W. Out: CF beats of PE channels.
 *
 * Cycles. PARALLEL = 1: CF steps a window, a window is taken in the last step of the one before or when idle; each
 * step gives a beat L = max(1, ceil(clog2(K)/2)) cycles later. PARALLEL = 0: CF*K steps, each takes a beat, every
 * K-th gives one in the next cycle (L = 1).
 */
export const pool = defineStreamModule({
  name: "n2f_pool",
  file: "nn/n2f_pool.sv",
  parameters,
  ports: {
    inputs: {
      clk: 1,
      rst: 1,
      s_valid: 1,
      s_data: (p) => p.ROWS * (p.PARALLEL ? p.K * p.C : p.PE) * p.X_W,
      m_ready: 1,
    },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.ROWS * p.PE * p.Y_W },
  },
  uses: ["n2f_slicer", "n2f_pipe_valid", "n2f_reduce_tree"],
  latencyCycles: (p) => (p.PARALLEL ? 1 : p.K - 1) + poolStages(p),
  intervalCycles: (p) => (p.C / p.PE) * (p.PARALLEL ? 1 : p.K),
  constraint(p) {
    if (p.C % p.PE !== 0) return `PE=${p.PE} must divide C=${p.C}`;
    return p.Y_W < p.X_W ? `Y_W=${p.Y_W}, must be at least X_W=${p.X_W}` : undefined;
  },
  cycleModel(p) {
    const folds = p.C / p.PE;
    const front = p.PARALLEL
      ? sliceFront(folds, () => true)
      : programFront(
          folds * p.K,
          () => true,
          (step) => step % p.K === p.K - 1,
        );
    return pipelined(poolStages(p), front);
  },
});

export type PoolParameters = ParameterValues<typeof parameters>;

/** L: cycles from a step that gives to its beat. */
export function poolStages(p: Pick<PoolParameters, "K" | "PARALLEL">): number {
  return p.PARALLEL ? reduceTreeStages(p.K) : 1;
}
