import { defineModule } from "./module.ts";

/** One wide vector to the beats of an AXI4-Stream packet; latency to the last beat, the first goes at once. */
export const axisPack = defineModule({
  name: "n2f_axis_pack",
  file: "stream/n2f_axis_pack.sv",
  parameters: {
    BEATS: { type: "int", min: 1 },
    BEAT_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_data: (p) => p.BEATS * p.BEAT_W, s_valid: 1, m_axis_tready: 1 },
    outputs: { s_ready: 1, m_axis_tdata: (p) => p.BEAT_W, m_axis_tvalid: 1, m_axis_tlast: 1 },
  },
  uses: [],
  latencyCycles: (p) => p.BEATS - 1,
  intervalCycles: (p) => p.BEATS,
});
