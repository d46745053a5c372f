import { defineModule } from "./module.ts";

/** Read-only memory with a registered output; `ADDR_W` is `addressBits(DEPTH)`. */
export const rom = defineModule({
  name: "n2f_rom",
  file: "mem/n2f_rom.sv",
  parameters: {
    DEPTH: { type: "int", min: 1 },
    DATA_W: { type: "int", min: 1 },
    ADDR_W: { type: "int", min: 1, max: 31 },
    INIT: { type: "string" },
  },
  ports: {
    inputs: { clk: 1, en: 1, addr: (p) => p.ADDR_W },
    outputs: { data: (p) => p.DATA_W },
  },
  uses: [],
  latencyCycles: () => 1,
  intervalCycles: () => 1,
});
