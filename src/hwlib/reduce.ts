import { defineStreamModule, pipelined, programFront } from "./cycle-model.ts";

/**
 * Maximum, sum or minimum (OP 0, 1, 2: `reduceCode`) of each channel over PIXELS pixels: global pooling.
 * A pixel is BEATS beats of P channels.
 *
 * Streams. In: PIXELS*BEATS beats, channel p of a beat at p*X_W. Out: BEATS beats, at p*Y_W; signed as X is.
 *
 * Cycles. One step a beat; the steps of the last pixel each give a beat in the next cycle (L = 1).
 */
export const reduce = defineStreamModule({
  name: "n2f_reduce",
  file: "nn/n2f_reduce.sv",
  parameters: {
    PIXELS: { type: "int", min: 1 },
    BEATS: { type: "int", min: 1 },
    P: { type: "int", min: 1 },
    OP: { type: "int", min: 0, max: 2 },
    X_W: { type: "int", min: 1 },
    X_SIGNED: { type: "bit" },
    Y_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.P * p.X_W, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.P * p.Y_W },
  },
  uses: [],
  latencyCycles: (p) => (p.PIXELS - 1) * p.BEATS + 1,
  intervalCycles: (p) => p.PIXELS * p.BEATS,
  constraint: (p) => (p.Y_W < p.X_W ? `Y_W=${p.Y_W}, must be at least X_W=${p.X_W}` : undefined),
  cycleModel: (p) =>
    pipelined(
      1,
      programFront(
        p.PIXELS * p.BEATS,
        () => true,
        (step) => step >= (p.PIXELS - 1) * p.BEATS,
      ),
    ),
});
