// n2f_axis_pack - sends one wide vector as the BEATS beats of an AXI4-Stream packet.
//
// Stream    ready/valid on both sides, 1 beat per cycle, a vector every BEATS cycles. The first beat holds the low
//           bits of s_data and passes straight through, so m_axis_tvalid and m_axis_tdata depend on s_valid and s_data
//           in the cycle, and s_ready on m_axis_tready; the rest is kept, and the vector's owner is free at once.
//           BEATS = 1 is wires.
// Latency   0 cycles, from the vector to the first beat of its packet; BEATS - 1 to the last, with m_axis_tlast.
// Reset     rst is synchronous and active high; it clears the count, not data.
// Twin      src/hwlib/axis-pack.ts
`default_nettype none

module n2f_axis_pack #(
    parameter int BEATS  = 4,  // beats of a packet, at least 1
    parameter int BEAT_W = 8   // bits of a beat, at least 1
) (
    input  wire logic                     clk,
    input  wire logic                     rst,

    input  wire logic [BEATS*BEAT_W-1:0]  s_data,
    input  wire logic                     s_valid,
    output      logic                     s_ready,

    output      logic [BEAT_W-1:0]        m_axis_tdata,
    output      logic                     m_axis_tvalid,
    input  wire logic                     m_axis_tready,
    output      logic                     m_axis_tlast
);

`ifndef SYNTHESIS
  initial begin
    if (BEATS < 1) $fatal(1, "n2f_axis_pack: BEATS=%0d, must be at least 1", BEATS);
    if (BEAT_W < 1) $fatal(1, "n2f_axis_pack: BEAT_W=%0d, must be at least 1", BEAT_W);
  end
`endif

  if (BEATS == 1) begin : gen_wires
    assign m_axis_tdata  = s_data;
    assign m_axis_tvalid = s_valid;
    assign m_axis_tlast  = 1'b1;
    assign s_ready       = m_axis_tready;

    logic unused;
    assign unused = &{1'b0, clk, rst};
  end else begin : gen_send
    localparam int STORE_W = (BEATS - 1) * BEAT_W;
    localparam int COUNT_W = $clog2(BEATS);

    logic [STORE_W-1:0] store_q, rest;
    logic [COUNT_W-1:0] count_q;
    logic first;

    assign first         = count_q == '0;
    assign m_axis_tdata  = first ? s_data[BEAT_W-1:0] : store_q[BEAT_W-1:0];
    assign m_axis_tvalid = !first || s_valid;
    assign m_axis_tlast  = count_q == COUNT_W'(BEATS - 1);
    assign s_ready       = first && m_axis_tready;

    // What is left once the beat on offer has gone.
    assign rest = first ? s_data[BEATS*BEAT_W-1:BEAT_W] : store_q >> BEAT_W;

    always_ff @(posedge clk) begin
      if (m_axis_tvalid && m_axis_tready) begin
        store_q <= rest;
        count_q <= m_axis_tlast ? '0 : count_q + 1'b1;
      end
      if (rst) count_q <= '0;
    end
  end

endmodule

`default_nettype wire
