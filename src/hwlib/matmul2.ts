import { treeStages } from "./adder-tree.ts";
import { defineStreamModule } from "./cycle-model.ts";
import type { ParameterValues } from "./module.ts";

const parameters = {
  M: { type: "int", min: 1 },
  K: { type: "int", min: 1 },
  N: { type: "int", min: 1 },
  SIMD: { type: "int", min: 1 },
  PE: { type: "int", min: 1 },
  TRANSPOSED: { type: "bit" },
  A_W: { type: "int", min: 1 },
  A_SIGNED: { type: "bit" },
  B_W: { type: "int", min: 1 },
  B_SIGNED: { type: "bit" },
  Y_W: { type: "int", min: 1 },
  MULTIPLIER: { type: "int", min: 0, max: 1 },
  STYLE: { type: "int", min: 0, max: 1 },
} as const;

/**
 * Product of two streams: y[m][n] = sum over k of a[m][k] * b[k][n], m < M, k < K, n < N, exact; SIMD and PE as
 * in `n2f_mvu`, SIMD divides K and PE divides N; SF = K/SIMD, NF = N/PE. b is buffered (twice: the next one
 * may come while this one is used), a is streamed. MULTIPLIER 0: LUTs, 1: DSP slices.
 *
 * Streams. Input 0 is a: M*SF beats of SIMD elements, row by row. Input 1 is b: TRANSPOSED = 0: K*NF beats of PE
 * elements, b[k][nf*PE + p] at p*B_W, row k by row k. TRANSPOSED = 1: N*SF beats of SIMD elements, b[sf*SIMD + i][n] at
 * i*B_W, column n by column n (the tensor is [N][K]). Out: M*NF beats of PE elements, y[m][nf*PE + p] at p*Y_W, signed.
 * Ports: s_a_*, s_b_*, m_*.
 *
 * Cycles. The writer takes a beat of b in every cycle in which its half is empty; a half is full from the cycle
 * after its last beat and empty again from the cycle after the last step that uses it. M*NF*SF steps, in
 * the order (m, nf, sf), in each cycle in which the half is full and the pipeline moves; for nf = 0 each
 * takes a beat of a and waits for it. The last step of each block gives a beat L = `matmul2Stages` cycles later.
 */
export const matmul2 = defineStreamModule({
  name: "n2f_matmul2",
  file: "nn/n2f_matmul2.sv",
  parameters,
  ports: {
    inputs: {
      clk: 1,
      rst: 1,
      s_a_valid: 1,
      s_a_data: (p) => p.SIMD * p.A_W,
      s_b_valid: 1,
      s_b_data: (p) => (p.TRANSPOSED ? p.SIMD : p.PE) * p.B_W,
      m_ready: 1,
    },
    outputs: { s_a_ready: 1, s_b_ready: 1, m_valid: 1, m_data: (p) => p.PE * p.Y_W },
  },
  uses: ["n2f_dot", "n2f_dot_lut"],
  latencyCycles: (p) =>
    (p.TRANSPOSED ? (p.N * p.K) / p.SIMD : (p.K * p.N) / p.PE) +
    p.K / p.SIMD -
    1 +
    matmul2Stages(p),
  intervalCycles: (p) => {
    const loads = p.TRANSPOSED ? (p.N * p.K) / p.SIMD : (p.K * p.N) / p.PE;
    return Math.max(loads, p.M * (p.K / p.SIMD) * (p.N / p.PE));
  },
  constraint(p) {
    if (p.K % p.SIMD !== 0) return `SIMD=${p.SIMD} must divide K=${p.K}`;
    return p.N % p.PE !== 0 ? `PE=${p.PE} must divide N=${p.N}` : undefined;
  },
  cycleModel(p) {
    const SF = p.K / p.SIMD;
    const NF = p.N / p.PE;
    const loads = p.TRANSPOSED ? p.N * SF : p.K * NF;
    const last = 1 << (matmul2Stages(p) - 1);
    let full = 0;
    let write = 0;
    let sf = 0;
    let nf = 0;
    let m = 0;
    let valid = 0;
    return {
      step(inValid, outReady) {
        const offers = (valid & last) !== 0;
        const moves = !offers || (outReady & 1) !== 0;
        const takesA = nf === 0 ? 1 : 0;
        const steps = moves && full > 0 && (!takesA || (inValid & 1) !== 0);
        let moved = offers && moves ? 0x10000 : 0;
        if (moves) valid = ((valid & ~last) << 1) | (steps && sf === SF - 1 ? 1 : 0);
        if (full < 2 && (inValid & 2) !== 0) {
          moved |= 2;
          if (++write === loads) write = 0;
        }
        const filled = (moved & 2) !== 0 && write === 0;
        if (steps) {
          moved |= takesA;
          if (++sf === SF) {
            sf = 0;
            if (++nf === NF) {
              nf = 0;
              if (++m === p.M) {
                m = 0;
                full--;
              }
            }
          }
        }
        if (filled) full++;
        return moved;
      },
      reset() {
        full = write = sf = nf = m = valid = 0;
      },
      stateKey: () => [full, write, sf, nf, m, valid].join(),
    };
  },
});

export type Matmul2Parameters = ParameterValues<typeof parameters>;

/** L: cycles from the last step of a block to the beat that it gives. */
export function matmul2Stages(p: Pick<Matmul2Parameters, "SIMD" | "MULTIPLIER">): number {
  return (p.MULTIPLIER === 1 ? 4 : 5) + treeStages(p.SIMD);
}
