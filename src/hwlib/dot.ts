import { treeStages } from "./adder-tree.ts";
import { defineModule } from "./module.ts";

/** Dot product of two vectors that come in registers: products, then the adder tree. */
export const dot = defineModule({
  name: "n2f_dot",
  file: "arith/n2f_dot.sv",
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
  latencyCycles: (p) => 1 + treeStages(p.LENGTH),
  intervalCycles: () => 1,
});
