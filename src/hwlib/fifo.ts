import { defineStreamModule } from "./cycle-model.ts";

/**
 * First in, first out: `DEPTH` beats of `WIDTH` bits. STYLE 0: LUT RAM, 1: block RAM.
 *
 * Cycles (both styles alike): `s_ready` = fewer than DEPTH beats are held at the start of the cycle,
 * `m_valid` = at least one is; both come from registers. A beat taken in cycle t is offered in t + 1. A full
 * FIFO takes nothing, even in a cycle in which it gives; so DEPTH = 2 is the least for full speed.
 */
export const fifo = defineStreamModule({
  name: "n2f_fifo",
  file: "stream/n2f_fifo.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    DEPTH: { type: "int", min: 2 },
    STYLE: { type: "int", min: 0, max: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.WIDTH, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.WIDTH },
  },
  uses: [],
  latencyCycles: () => 1,
  intervalCycles: () => 1,
  cycleModel({ DEPTH }) {
    let count = 0;
    return {
      step(inValid, outReady) {
        const taken = count < DEPTH ? inValid & 1 : 0;
        const given = count > 0 ? outReady & 1 : 0;
        count += taken - given;
        return taken | (given << 16);
      },
      reset() {
        count = 0;
      },
      stateKey: () => String(count),
    };
  },
});
