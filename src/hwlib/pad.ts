import { defineStreamModule } from "./cycle-model.ts";

/**
 * A frame around a picture of H*W*B beats: PT and PB rows, PL and PR columns of VALUE in each of P lanes of X_W
 * bits. For convolutions the windows pad by themselves.
 *
 * Cycles: no register on the way. What is above a picture comes when its first beat is there, other beats of the frame
 * at once, and both take nothing; those of the picture pass.
 */
export const pad = defineStreamModule({
  name: "n2f_pad",
  file: "stream/n2f_pad.sv",
  parameters: {
    P: { type: "int", min: 1 },
    X_W: { type: "int", min: 1 },
    H: { type: "int", min: 1 },
    W: { type: "int", min: 1 },
    B: { type: "int", min: 1 },
    PT: { type: "int", min: 0 },
    PB: { type: "int", min: 0 },
    PL: { type: "int", min: 0 },
    PR: { type: "int", min: 0 },
    VALUE: { type: "code" },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.P * p.X_W, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.P * p.X_W },
  },
  uses: [],
  latencyCycles: () => 0,
  intervalCycles: (p) => (p.H + p.PT + p.PB) * (p.W + p.PL + p.PR) * p.B,
  cycleModel({ H, W, B, PT, PB, PL, PR }) {
    let b = 0;
    let x = 0;
    let y = 0;
    return {
      step(inValid, outReady) {
        const real = y >= PT && y < PT + H && x >= PL && x < PL + W ? 1 : 0;
        const waits = real === 1 || y < PT || (y === PT && x < PL);
        if ((outReady & 1) === 0 || (waits && (inValid & 1) === 0)) return 0;
        if (++b === B) {
          b = 0;
          if (++x === PL + W + PR) {
            x = 0;
            if (++y === PT + H + PB) y = 0;
          }
        }
        return real | 0x10000;
      },
      reset() {
        b = x = y = 0;
      },
      stateKey: () => `${b},${x},${y}`,
    };
  },
});
