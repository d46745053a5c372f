import { clog2, defineModule } from "./module.ts";

/** Sum of signed terms, a register after every two levels of adders. */
export const adderTree = defineModule({
  name: "n2f_adder_tree",
  file: "arith/n2f_adder_tree.sv",
  parameters: {
    LENGTH: { type: "int", min: 1 },
    X_W: { type: "int", min: 1 },
    Y_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, en: 1, x: (p) => p.LENGTH * p.X_W },
    outputs: { y: (p) => p.Y_W },
  },
  uses: [],
  latencyCycles: (p) => treeStages(p.LENGTH),
  intervalCycles: () => 1,
});

/** Registers on the way through an adder tree of some terms. */
export function treeStages(length: number): number {
  return Math.floor(clog2(length) / 2);
}
