import { defineModule } from "./module.ts";

/** The words of a constant memory in turn: `data` is at hand, `next` brings the following one. */
export const constants = defineModule({
  name: "n2f_constants",
  file: "mem/n2f_constants.sv",
  parameters: {
    WORDS: { type: "int", min: 1 },
    DATA_W: { type: "int", min: 1 },
    INIT: { type: "string" },
  },
  ports: {
    inputs: { clk: 1, rst: 1, next: 1 },
    outputs: { data: (p) => p.DATA_W },
  },
  uses: [],
  latencyCycles: () => 1,
  intervalCycles: () => 1,
});
