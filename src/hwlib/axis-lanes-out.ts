import { defineStreamModule } from "./cycle-model.ts";
import { widthModel } from "./width.ts";

/**
 * Beats of P lanes to AXI4-Stream packets of V containers, the inverse of `n2f_axis_lanes_in`: elements are
 * extended by their sign (SIGNED) or zeros; tlast on the last beat of a packet.
 *
 * Cycles: those of `n2f_width` with P_IN = P, P_OUT = CONTAINERS.
 */
export const axisLanesOut = defineStreamModule({
  name: "n2f_axis_lanes_out",
  file: "stream/n2f_axis_lanes_out.sv",
  parameters: {
    X_W: { type: "int", min: 1 },
    SIGNED: { type: "bit" },
    V: { type: "int", min: 1 },
    P: { type: "int", min: 1 },
    CONTAINER_W: { type: "int", min: 8, max: 64 },
    CONTAINERS: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.P * p.X_W, m_axis_tready: 1 },
    outputs: {
      s_ready: 1,
      m_axis_tdata: (p) => p.CONTAINERS * p.CONTAINER_W,
      m_axis_tvalid: 1,
      m_axis_tlast: 1,
    },
  },
  uses: ["n2f_width"],
  latencyCycles: (p) => Math.ceil(Math.min(p.V, p.CONTAINERS) / p.P),
  intervalCycles: (p) => Math.max(Math.ceil(p.V / p.CONTAINERS), Math.ceil(p.V / p.P)),
  constraint: (p) =>
    p.X_W > p.CONTAINER_W
      ? `X_W=${p.X_W}, must be at most CONTAINER_W=${p.CONTAINER_W}`
      : undefined,
  cycleModel: ({ V, CONTAINERS, P }) => widthModel(V, P, CONTAINERS),
});
