import { defineModule } from "./module.ts";

/** The weights of a folded unit: a word a cycle later than its address, from LUTs (MEMORY 0) or block RAM (1). */
export const mvuWeights = defineModule({
  name: "n2f_mvu_weights",
  file: "nn/n2f_mvu_weights.sv",
  parameters: {
    DEPTH: { type: "int", min: 1 },
    DATA_W: { type: "int", min: 1 },
    ADDR_W: { type: "int", min: 1 },
    MEMORY: { type: "int", min: 0, max: 1 },
    INIT: { type: "string" },
  },
  ports: {
    inputs: { clk: 1, en: 1, addr: (p) => p.ADDR_W },
    outputs: { data: (p) => p.DATA_W },
  },
  uses: ["n2f_lut", "n2f_rom_block"],
  latencyCycles: () => 1,
  intervalCycles: () => 1,
});
