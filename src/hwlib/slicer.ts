import { defineModule } from "./module.ts";

/**
 * The front of folded modules that take whole vectors: `P` elements of each of `VECTORS` vectors a step. Its
 * cycles are those of `sliceFront`.
 */
export const slicer = defineModule({
  name: "n2f_slicer",
  file: "stream/n2f_slicer.sv",
  parameters: {
    VECTORS: { type: "int", min: 1 },
    V: { type: "int", min: 1 },
    P: { type: "int", min: 1 },
    X_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.VECTORS * p.V * p.X_W, en: 1 },
    outputs: { s_ready: 1, step: 1, slice: (p) => p.VECTORS * p.P * p.X_W },
  },
  uses: [],
  latencyCycles: () => 1,
  intervalCycles: (p) => Math.ceil(p.V / p.P),
});
