import { defineStreamModule } from "./cycle-model.ts";

/**
 * One stream to N: every beat goes to every output once; ports m_valid and m_ready have a bit per output,
 * m_data is shared.
 *
 * Cycles: no register on the way. Output i is valid while a beat is offered that i has not had yet; an output
 * may take it before the others. The beat is taken in the cycle in which the last output takes it.
 */
export const fork = defineStreamModule({
  name: "n2f_fork",
  file: "stream/n2f_fork.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    N: { type: "int", min: 1, max: 15 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.WIDTH, m_ready: (p) => p.N },
    outputs: { s_ready: 1, m_valid: (p) => p.N, m_data: (p) => p.WIDTH },
  },
  uses: [],
  latencyCycles: () => 0,
  intervalCycles: () => 1,
  cycleModel({ N }) {
    const all = 2 ** N - 1;
    let done = 0;
    return {
      step(inValid, outReady) {
        if ((inValid & 1) === 0) return 0;
        const given = outReady & all & ~done;
        done |= given;
        if (done !== all) return given << 16;
        done = 0;
        return 1 | (given << 16);
      },
      reset() {
        done = 0;
      },
      stateKey: () => String(done),
    };
  },
});
