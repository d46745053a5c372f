import { defineModule } from "./module.ts";

/** A DSP48E2 that makes two products with one x, and adds them to those of the slice before it. */
export const pairSlice = defineModule({
  name: "n2f_pair_slice",
  file: "arith/n2f_pair_slice.sv",
  parameters: {
    X_W: { type: "int", min: 1, max: 18 },
    X_SIGNED: { type: "bit" },
    W_W: { type: "int", min: 1, max: 12 },
    FIRST: { type: "bit" },
  },
  ports: {
    inputs: {
      clk: 1,
      en: 1,
      x: (p) => p.X_W,
      w0: (p) => p.W_W,
      w1: (p) => p.W_W,
      p_before: 48,
    },
    outputs: { p_next: 48, p: 48 },
  },
  uses: [],
  latencyCycles: () => 4,
  intervalCycles: () => 1,
});
