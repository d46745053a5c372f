// n2f_axis_lanes_out - beats of P lanes to AXI4-Stream packets of V containers, several a beat.
//
// Numbers   elements of X_W bits are extended by their sign (SIGNED) or zeros to containers of CONTAINER_W bits; CONTAINERS of
//           them in a beat, the first in the low bits. A packet is ceil(V/CONTAINERS) beats, the last one filled up with
//           zeros. The input has ceil(V/P) beats a packet; what fills the last one is ignored.
// Stream    ready/valid on both sides, as n2f_width with P_IN = P, P_OUT = CONTAINERS; m_axis_tlast on the last beat.
// Latency   1 cycle, from the beat that completes another to the other.
// Reset     rst is synchronous and active high.
// Twin      src/hwlib/axis-lanes-out.ts
`default_nettype none

module n2f_axis_lanes_out #(
    parameter int X_W         = 8,  // bits of an element, 1 .. CONTAINER_W
    parameter bit SIGNED      = 1,  // 1: elements are two's complement
    parameter int V           = 8,  // elements of a packet, at least 1
    parameter int P           = 1,  // lanes at the input, at least 1
    parameter int CONTAINER_W = 8,  // bits of a container, 8 .. 64
    parameter int CONTAINERS  = 1   // containers of a beat, at least 1
) (
    input  wire logic                              clk,
    input  wire logic                              rst,

    input  wire logic                              s_valid,
    output      logic                              s_ready,
    input  wire logic [P*X_W-1:0]                  s_data,

    output      logic [CONTAINERS*CONTAINER_W-1:0] m_axis_tdata,
    output      logic                              m_axis_tvalid,
    input  wire logic                              m_axis_tready,
    output      logic                              m_axis_tlast
);

`ifndef SYNTHESIS
  initial begin
    if (X_W < 1 || X_W > CONTAINER_W)
      $fatal(1, "n2f_axis_lanes_out: X_W=%0d, must be in 1..CONTAINER_W=%0d", X_W, CONTAINER_W);
    if (V < 1) $fatal(1, "n2f_axis_lanes_out: V=%0d, must be at least 1", V);
    if (CONTAINERS < 1) $fatal(1, "n2f_axis_lanes_out: CONTAINERS=%0d, must be at least 1", CONTAINERS);
    if (P < 1) $fatal(1, "n2f_axis_lanes_out: P=%0d, must be at least 1", P);
  end
`endif

  localparam int BEATS = (V + CONTAINERS - 1) / CONTAINERS;
  localparam int BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;

  logic [CONTAINERS*X_W-1:0] elements;

  n2f_width #(
      .X_W  (X_W),
      .ROWS (1),
      .V    (V),
      .P_IN (P),
      .P_OUT(CONTAINERS)
  ) lanes (
      .clk,
      .rst,
      .s_valid,
      .s_ready,
      .s_data,
      .m_valid(m_axis_tvalid),
      .m_ready(m_axis_tready),
      .m_data (elements)
  );

  for (genvar i = 0; i < CONTAINERS; i++) begin : container
    if (SIGNED) begin : gen_sign
      assign m_axis_tdata[i*CONTAINER_W+:CONTAINER_W] = CONTAINER_W'($signed(elements[i*X_W+:X_W]));
    end else begin : gen_zeros
      assign m_axis_tdata[i*CONTAINER_W+:CONTAINER_W] = CONTAINER_W'(elements[i*X_W+:X_W]);
    end
  end

  logic [BEAT_W-1:0] beat_q;

  assign m_axis_tlast = BEATS == 1 || beat_q == BEAT_W'(BEATS - 1);

  always_ff @(posedge clk) begin
    if (m_axis_tvalid && m_axis_tready) beat_q <= m_axis_tlast ? '0 : beat_q + 1'b1;
    if (rst) beat_q <= '0;
  end

endmodule

`default_nettype wire
