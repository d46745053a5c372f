import { defineStreamModule } from "./cycle-model.ts";

/**
 * N streams to one: a beat of each at once, side by side. Ports s_valid and s_ready have a bit per input;
 * s_data is all of them, WIDTH bits together, and goes to m_data as it stands.
 *
 * Cycles: no register on the way. The output is valid while every input is; all are taken when it is.
 */
export const join = defineStreamModule({
  name: "n2f_join",
  file: "stream/n2f_join.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    N: { type: "int", min: 1, max: 15 },
  },
  ports: {
    inputs: { s_valid: (p) => p.N, s_data: (p) => p.WIDTH, m_ready: 1 },
    outputs: { s_ready: (p) => p.N, m_valid: 1, m_data: (p) => p.WIDTH },
  },
  uses: [],
  latencyCycles: () => 0,
  intervalCycles: () => 1,
  cycleModel({ N }) {
    const all = 2 ** N - 1;
    return {
      step: (inValid, outReady) =>
        (inValid & all) === all && (outReady & 1) !== 0 ? all | 0x10000 : 0,
      reset() {},
      stateKey: () => "",
    };
  },
});
