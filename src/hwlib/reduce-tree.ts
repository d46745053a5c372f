import { clog2, defineModule } from "./module.ts";

/** Maximum, sum or minimum of some terms, a register after every two levels and at the end. */
export const reduceTree = defineModule({
  name: "n2f_reduce_tree",
  file: "arith/n2f_reduce_tree.sv",
  parameters: {
    LENGTH: { type: "int", min: 1 },
    OP: { type: "int", min: 0, max: 2 },
    X_W: { type: "int", min: 1 },
    X_SIGNED: { type: "bit" },
    Y_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, en: 1, x: (p) => p.LENGTH * p.X_W },
    outputs: { y: (p) => p.Y_W },
  },
  uses: [],
  latencyCycles: (p) => reduceTreeStages(p.LENGTH),
  intervalCycles: () => 1,
});

/** Registers on the way through a tree of some terms. */
export function reduceTreeStages(length: number): number {
  return Math.max(1, Math.ceil(clog2(length) / 2));
}
