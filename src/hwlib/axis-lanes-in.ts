import { defineStreamModule } from "./cycle-model.ts";
import { widthModel } from "./width.ts";

/**
 * AXI4-Stream packets of V containers to beats of P lanes. A container is CONTAINER_W bits (8, 16, 32, 64),
 * CONTAINERS of them in a beat, the first in the low bits; an element is the low X_W bits of one. A packet is
 * ceil(V/CONTAINERS) beats. `packet_error` rises in the cycle after a beat whose tlast is wrong, and stays.
 *
 * Cycles: those of `n2f_width` with P_IN = CONTAINERS, P_OUT = P.
 */
export const axisLanesIn = defineStreamModule({
  name: "n2f_axis_lanes_in",
  file: "stream/n2f_axis_lanes_in.sv",
  parameters: {
    X_W: { type: "int", min: 1 },
    V: { type: "int", min: 1 },
    CONTAINER_W: { type: "int", min: 8, max: 64 },
    CONTAINERS: { type: "int", min: 1 },
    P: { type: "int", min: 1 },
  },
  ports: {
    inputs: {
      clk: 1,
      rst: 1,
      s_axis_tdata: (p) => p.CONTAINERS * p.CONTAINER_W,
      s_axis_tvalid: 1,
      s_axis_tlast: 1,
      m_ready: 1,
    },
    outputs: { s_axis_tready: 1, m_valid: 1, m_data: (p) => p.P * p.X_W, packet_error: 1 },
  },
  uses: ["n2f_width"],
  latencyCycles: (p) => Math.ceil(Math.min(p.V, p.P) / p.CONTAINERS),
  intervalCycles: (p) => Math.max(Math.ceil(p.V / p.CONTAINERS), Math.ceil(p.V / p.P)),
  constraint: (p) =>
    p.X_W > p.CONTAINER_W
      ? `X_W=${p.X_W}, must be at most CONTAINER_W=${p.CONTAINER_W}`
      : undefined,
  cycleModel: ({ V, CONTAINERS, P }) => widthModel(V, CONTAINERS, P),
});
