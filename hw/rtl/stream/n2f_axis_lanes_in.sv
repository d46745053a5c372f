// n2f_axis_lanes_in - AXI4-Stream packets of V containers, several a beat, to beats of P lanes.
//
// Numbers   a container is CONTAINER_W bits, CONTAINERS of them in a beat, the first in the low bits; an element is the
//           low X_W bits of one. A packet is ceil(V/CONTAINERS) beats; what fills the last one is ignored. The last beat of
//           m_data is filled up with zeros.
// Stream    ready/valid on both sides, as n2f_width with P_IN = CONTAINERS, P_OUT = P.
// Latency   1 cycle, from the beat that completes another to the other.
// Errors    Packets are found by counting; s_axis_tlast is only compared. packet_error rises in the cycle after a beat
//           whose tlast is wrong and stays until reset.
// Reset     rst is synchronous and active high.
// Twin      src/hwlib/axis-lanes-in.ts
`default_nettype none

module n2f_axis_lanes_in #(
    parameter int X_W         = 8,  // bits of an element, 1 .. CONTAINER_W
    parameter int V           = 8,  // elements of a packet, at least 1
    parameter int CONTAINER_W = 8,  // bits of a container, 8 .. 64
    parameter int CONTAINERS  = 1,  // containers of a beat, at least 1
    parameter int P           = 1   // lanes at the output, at least 1
) (
    input  wire logic                              clk,
    input  wire logic                              rst,

    input  wire logic [CONTAINERS*CONTAINER_W-1:0] s_axis_tdata,
    input  wire logic                              s_axis_tvalid,
    output      logic                              s_axis_tready,
    input  wire logic                              s_axis_tlast,

    output      logic                              m_valid,
    input  wire logic                              m_ready,
    output      logic [P*X_W-1:0]                  m_data,

    output      logic                              packet_error
);

`ifndef SYNTHESIS
  initial begin
    if (X_W < 1 || X_W > CONTAINER_W)
      $fatal(1, "n2f_axis_lanes_in: X_W=%0d, must be in 1..CONTAINER_W=%0d", X_W, CONTAINER_W);
    if (V < 1) $fatal(1, "n2f_axis_lanes_in: V=%0d, must be at least 1", V);
    if (CONTAINERS < 1) $fatal(1, "n2f_axis_lanes_in: CONTAINERS=%0d, must be at least 1", CONTAINERS);
    if (P < 1) $fatal(1, "n2f_axis_lanes_in: P=%0d, must be at least 1", P);
  end
`endif

  localparam int BEATS = (V + CONTAINERS - 1) / CONTAINERS;
  localparam int BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;

  logic [CONTAINERS*X_W-1:0] elements;

  for (genvar i = 0; i < CONTAINERS; i++) begin : container
    assign elements[i*X_W+:X_W] = s_axis_tdata[i*CONTAINER_W+:X_W];
  end

  n2f_width #(
      .X_W  (X_W),
      .ROWS (1),
      .V    (V),
      .P_IN (CONTAINERS),
      .P_OUT(P)
  ) lanes (
      .clk,
      .rst,
      .s_valid(s_axis_tvalid),
      .s_ready(s_axis_tready),
      .s_data (elements),
      .m_valid,
      .m_ready,
      .m_data
  );

  logic [BEAT_W-1:0] beat_q;
  logic last;

  assign last = BEATS == 1 || beat_q == BEAT_W'(BEATS - 1);

  always_ff @(posedge clk) begin
    if (s_axis_tvalid && s_axis_tready) begin
      beat_q <= last ? '0 : beat_q + 1'b1;
      if (s_axis_tlast != last) packet_error <= 1'b1;
    end
    if (rst) begin
      beat_q       <= '0;
      packet_error <= 1'b0;
    end
  end

  logic unused;
  assign unused = &{1'b0, s_axis_tdata};

endmodule

`default_nettype wire
