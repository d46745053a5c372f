import { defineStreamModule } from "./cycle-model.ts";

/**
 * Two streams in turn: A_BEATS beats of input 0, then B_BEATS of input 1, over and over. Concatenation along
 * channels with the beats of a pixel as counts; more inputs: a chain. s_valid and s_ready have a bit per
 * input, s_data holds input 0 in its lower half.
 *
 * Cycles: no register on the way; the output is the input whose turn it is.
 */
export const concat = defineStreamModule({
  name: "n2f_concat",
  file: "stream/n2f_concat.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    A_BEATS: { type: "int", min: 1 },
    B_BEATS: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 2, s_data: (p) => 2 * p.WIDTH, m_ready: 1 },
    outputs: { s_ready: 2, m_valid: 1, m_data: (p) => p.WIDTH },
  },
  uses: [],
  latencyCycles: () => 0,
  intervalCycles: (p) => p.A_BEATS + p.B_BEATS,
  cycleModel({ A_BEATS, B_BEATS }) {
    let at = 0;
    return {
      step(inValid, outReady) {
        const turn = at < A_BEATS ? 1 : 2;
        if ((inValid & turn) === 0 || (outReady & 1) === 0) return 0;
        if (++at === A_BEATS + B_BEATS) at = 0;
        return turn | 0x10000;
      },
      reset() {
        at = 0;
      },
      stateKey: () => String(at),
    };
  },
});
