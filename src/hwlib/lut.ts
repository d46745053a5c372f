import { defineModule } from "./module.ts";

/** Combinational look-up table; `ADDR_W` is `addressBits(DEPTH)`. */
export const lut = defineModule({
  name: "n2f_lut",
  file: "mem/n2f_lut.sv",
  parameters: {
    DEPTH: { type: "int", min: 1 },
    DATA_W: { type: "int", min: 1 },
    ADDR_W: { type: "int", min: 1, max: 31 },
    INIT: { type: "string" },
  },
  ports: {
    inputs: { addr: (p) => p.ADDR_W },
    outputs: { data: (p) => p.DATA_W },
  },
  uses: [],
  latencyCycles: () => 0,
  intervalCycles: () => 1,
});
