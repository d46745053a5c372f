import { defineModule } from "./module.ts";

/** Read-only memory of `DEPTH` words with a registered output, in block RAM whatever its size. */
export const romBlock = defineModule({
  name: "n2f_rom_block",
  file: "mem/n2f_rom_block.sv",
  parameters: {
    DEPTH: { type: "int", min: 1 },
    DATA_W: { type: "int", min: 1 },
    ADDR_W: { type: "int", min: 1 },
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
