import { defineStreamModule, pipelined, programFront } from "./cycle-model.ts";
import { clog2 } from "./module.ts";
import { reduceTreeStages } from "./reduce-tree.ts";

/**
 * Maximum, sum, minimum or place of the first maximum (OP 0, 1, 2, 3: `reduceCode`) over a vector of V
 * elements that comes in ceil(V/P) beats; lanes beyond V in the last beat are ignored.
 *
 * Streams. In: element p of a beat at p*X_W. Out: one beat of Y_W bits a vector; signed as X is (OP 3: a
 * number of 0 .. V-1).
 *
 * Cycles. One step a beat; the last of a vector gives a beat L = 1 + max(1, ceil(clog2(P)/2)) cycles later.
 */
export const reduceLanes = defineStreamModule({
  name: "n2f_reduce_lanes",
  file: "nn/n2f_reduce_lanes.sv",
  parameters: {
    V: { type: "int", min: 1 },
    P: { type: "int", min: 1 },
    OP: { type: "int", min: 0, max: 3 },
    X_W: { type: "int", min: 1 },
    X_SIGNED: { type: "bit" },
    Y_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.P * p.X_W, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.Y_W },
  },
  uses: ["n2f_reduce_tree"],
  latencyCycles: (p) => Math.ceil(p.V / p.P) - 1 + reduceLanesStages(p.P),
  intervalCycles: (p) => Math.ceil(p.V / p.P),
  constraint(p) {
    if (p.P > p.V) return `P=${p.P}, must be at most V=${p.V}`;
    if (p.OP === 3) {
      return p.Y_W < clog2(p.V) ? `Y_W=${p.Y_W}, must be at least ${clog2(p.V)}` : undefined;
    }
    return p.Y_W < p.X_W ? `Y_W=${p.Y_W}, must be at least X_W=${p.X_W}` : undefined;
  },
  cycleModel(p) {
    const beats = Math.ceil(p.V / p.P);
    const front = programFront(
      beats,
      () => true,
      (step) => step === beats - 1,
    );
    return pipelined(reduceLanesStages(p.P), front);
  },
});

/** L: cycles from a vector's last beat to the result. */
export function reduceLanesStages(lanes: number): number {
  return 1 + reduceTreeStages(lanes);
}
