import { treeStages } from "./adder-tree.ts";
import { defineModule } from "./module.ts";

/** Dot product of two vectors that come in registers, with products made of LUTs: multiples, sums, the adder tree. */
export const dotLut = defineModule({
  name: "n2f_dot_lut",
  file: "arith/n2f_dot_lut.sv",
  parameters: {
    LENGTH: { type: "int", min: 1 },
    X_W: { type: "int", min: 1 },
    X_SIGNED: { type: "bit" },
    W_W: { type: "int", min: 1 },
    Y_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, en: 1, x: (p) => p.LENGTH * p.X_W, w: (p) => p.LENGTH * p.W_W },
    outputs: { y: (p) => p.Y_W },
  },
  uses: ["n2f_adder_tree"],
  latencyCycles: (p) => 2 + treeStages(p.LENGTH),
  intervalCycles: () => 1,
});
