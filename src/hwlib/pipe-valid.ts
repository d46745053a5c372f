import { defineModule } from "./module.ts";

/** The valid bits and the clock enable of a pipeline of `STAGES` registers. */
export const pipeValid = defineModule({
  name: "n2f_pipe_valid",
  file: "stream/n2f_pipe_valid.sv",
  parameters: { STAGES: { type: "int", min: 1 } },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, en: 1 },
  },
  uses: [],
  latencyCycles: (p) => p.STAGES,
  intervalCycles: () => 1,
});
