import { defineStreamModule } from "./cycle-model.ts";

/**
 * One stream to two in turn: A_BEATS beats to output 0, then B_BEATS to output 1, over and over. The inverse of
 * `n2f_concat`. m_valid and m_ready have a bit per output; m_data is shared.
 *
 * Cycles: no register on the way; only the output whose turn it is is valid, and the input is ready when it is.
 */
export const split = defineStreamModule({
  name: "n2f_split",
  file: "stream/n2f_split.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    A_BEATS: { type: "int", min: 1 },
    B_BEATS: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.WIDTH, m_ready: 2 },
    outputs: { s_ready: 1, m_valid: 2, m_data: (p) => p.WIDTH },
  },
  uses: [],
  latencyCycles: () => 0,
  intervalCycles: (p) => p.A_BEATS + p.B_BEATS,
  cycleModel({ A_BEATS, B_BEATS }) {
    let at = 0;
    return {
      step(inValid, outReady) {
        const turn = at < A_BEATS ? 1 : 2;
        if ((inValid & 1) === 0 || (outReady & turn) === 0) return 0;
        if (++at === A_BEATS + B_BEATS) at = 0;
        return 1 | (turn << 16);
      },
      reset() {
        at = 0;
      },
      stateKey: () => String(at),
    };
  },
});
