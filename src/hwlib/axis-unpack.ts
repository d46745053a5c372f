import { defineModule } from "./module.ts";

/** The beats of an AXI4-Stream packet to one wide vector; latency from the first beat. */
export const axisUnpack = defineModule({
  name: "n2f_axis_unpack",
  file: "stream/n2f_axis_unpack.sv",
  parameters: {
    BEATS: { type: "int", min: 1 },
    BEAT_W: { type: "int", min: 1 },
  },
  ports: {
    inputs: {
      clk: 1,
      rst: 1,
      s_axis_tdata: (p) => p.BEAT_W,
      s_axis_tvalid: 1,
      s_axis_tlast: 1,
      m_ready: 1,
    },
    outputs: { s_axis_tready: 1, m_data: (p) => p.BEATS * p.BEAT_W, m_valid: 1, packet_error: 1 },
  },
  uses: [],
  latencyCycles: (p) => p.BEATS - 1,
  intervalCycles: (p) => p.BEATS,
});
