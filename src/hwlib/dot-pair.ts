import { treeStages } from "./adder-tree.ts";
import { defineModule } from "./module.ts";

/** Two dot products with the same x, a DSP slice for every two products; see the module's header for how w is packed. */
export const dotPair = defineModule({
  name: "n2f_dot_pair",
  file: "arith/n2f_dot_pair.sv",
  parameters: {
    LENGTH: { type: "int", min: 1 },
    X_W: { type: "int", min: 1, max: 18 },
    X_SIGNED: { type: "bit" },
    W_W: { type: "int", min: 1, max: 12 },
    Y_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, en: 1, x: (p) => p.LENGTH * p.X_W, w: (p) => p.LENGTH * (2 * p.W_W + 1) },
    outputs: { y: (p) => 2 * p.Y_W },
  },
  uses: ["n2f_adder_tree"],
  latencyCycles: (p) => {
    const chain = Math.min(p.LENGTH, pairedChain(p));
    return 2 + treeStages(chain) + treeStages(Math.ceil(p.LENGTH / chain));
  },
  intervalCycles: () => 1,
});

/**
 * How many products (w1 * 2^S + w0) * x may be added up before the lower sum could leave its S = 26 - W_W
 * bits; 0 where the factors do not fit a DSP48E2 (27 x 18 bits). 7 for int8 by int8, 4 for uint8 by int8.
 */
export function pairedChain(p: {
  readonly X_W: number;
  readonly X_SIGNED: boolean;
  readonly W_W: number;
}): number {
  const factor = p.X_SIGNED ? p.X_W : p.X_W + 1;
  const shift = 26 - p.W_W;
  if (factor > 18 || p.W_W > 12) return 0;
  const greatest = 2 ** (p.W_W - 1) * (p.X_SIGNED ? 2 ** (p.X_W - 1) : 2 ** p.X_W - 1);
  return Math.floor((2 ** (shift - 1) - 1) / greatest);
}
