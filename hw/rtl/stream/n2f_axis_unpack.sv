// n2f_axis_unpack - collects the BEATS beats of an AXI4-Stream packet into one wide vector.
//
// Stream    ready/valid on both sides, 1 beat per cycle, a packet every BEATS cycles. The first beat is in the low
//           bits of m_data; the last one passes straight through, so m_valid and m_data depend on s_axis in the cycle,
//           and s_axis_tready on m_ready. BEATS = 1 is wires.
// Latency   BEATS - 1 cycles, from the first beat of a packet to the vector.
// Errors    Packets are found by counting; s_axis_tlast is only compared. packet_error rises in the cycle after a beat
//           whose tlast is wrong (early, or missing on the last beat) and stays until reset.
// Reset     rst is synchronous and active high; it clears the count and packet_error, not data.
// Twin      src/hwlib/axis-unpack.ts
`default_nettype none

module n2f_axis_unpack #(
    parameter int BEATS  = 4,  // beats of a packet, at least 1
    parameter int BEAT_W = 8   // bits of a beat, at least 1
) (
    input  wire logic                     clk,
    input  wire logic                     rst,

    input  wire logic [BEAT_W-1:0]        s_axis_tdata,
    input  wire logic                     s_axis_tvalid,
    output      logic                     s_axis_tready,
    input  wire logic                     s_axis_tlast,

    output      logic [BEATS*BEAT_W-1:0]  m_data,
    output      logic                     m_valid,
    input  wire logic                     m_ready,

    output      logic                     packet_error
);

`ifndef SYNTHESIS
  initial begin
    if (BEATS < 1) $fatal(1, "n2f_axis_unpack: BEATS=%0d, must be at least 1", BEATS);
    if (BEAT_W < 1) $fatal(1, "n2f_axis_unpack: BEAT_W=%0d, must be at least 1", BEAT_W);
  end
`endif

  logic last;  // the beat on offer is the last of its packet
  logic transfer;

  assign transfer = s_axis_tvalid && s_axis_tready;

  if (BEATS == 1) begin : gen_wires
    assign last          = 1'b1;
    assign m_data        = s_axis_tdata;
    assign m_valid       = s_axis_tvalid;
    assign s_axis_tready = m_ready;
  end else begin : gen_collect
    localparam int STORE_W = (BEATS - 1) * BEAT_W;
    localparam int COUNT_W = $clog2(BEATS);

    logic [STORE_W-1:0] store_q;
    logic [COUNT_W-1:0] count_q;

    assign last          = count_q == COUNT_W'(BEATS - 1);
    assign m_data        = {s_axis_tdata, store_q};
    assign m_valid       = s_axis_tvalid && last;
    assign s_axis_tready = !last || m_ready;

    always_ff @(posedge clk) begin
      if (transfer) begin
        store_q <= m_data[BEATS*BEAT_W-1:BEAT_W];
        count_q <= last ? '0 : count_q + 1'b1;
      end
      if (rst) count_q <= '0;
    end
  end

  always_ff @(posedge clk) begin
    if (transfer && s_axis_tlast != last) packet_error <= 1'b1;
    if (rst) packet_error <= 1'b0;
  end

endmodule

`default_nettype wire
