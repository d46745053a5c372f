// n2f_pad - a frame of VALUE around a picture.
//
// Numbers   a picture is H rows of W pixels of B beats of P elements of X_W bits; PT and PB rows are put above and below,
//           PL and PR columns at the left and right.
// Stream    ready/valid, 1 beat per cycle. What is above a picture comes when its first beat is there, other beats of the
//           frame at once; those of the picture pass, without a register on the way.
// Latency   0 cycles.
// Reset     rst is synchronous and active high; it clears the counters.
// Twin      src/hwlib/pad.ts
`default_nettype none

module n2f_pad #(
    parameter int P     = 1,  // elements of a beat, at least 1
    parameter int X_W   = 8,  // bits of an element, at least 1
    parameter int H     = 4,  // rows, at least 1
    parameter int W     = 4,  // columns, at least 1
    parameter int B     = 1,  // beats of a pixel, at least 1
    parameter int PT    = 1,  // rows above, at least 0
    parameter int PB    = 1,  // rows below, at least 0
    parameter int PL    = 1,  // columns at the left, at least 0
    parameter int PR    = 1,  // columns at the right, at least 0
    parameter signed VALUE = 0   // an element of the frame; its low X_W bits
) (
    input  wire logic             clk,
    input  wire logic             rst,

    input  wire logic             s_valid,
    output      logic             s_ready,
    input  wire logic [P*X_W-1:0] s_data,

    output      logic             m_valid,
    input  wire logic             m_ready,
    output      logic [P*X_W-1:0] m_data
);

`ifndef SYNTHESIS
  initial begin
    if (P < 1) $fatal(1, "n2f_pad: P=%0d, must be at least 1", P);
    if (X_W < 1) $fatal(1, "n2f_pad: X_W=%0d, must be at least 1", X_W);
    if (H < 1) $fatal(1, "n2f_pad: H=%0d, must be at least 1", H);
    if (W < 1) $fatal(1, "n2f_pad: W=%0d, must be at least 1", W);
    if (B < 1) $fatal(1, "n2f_pad: B=%0d, must be at least 1", B);
    if (PT < 0 || PB < 0 || PL < 0 || PR < 0)
      $fatal(1, "n2f_pad: PT=%0d, PB=%0d, PL=%0d, PR=%0d, must be at least 0", PT, PB, PL, PR);
  end
`endif

  localparam int ROWS = PT + H + PB;
  localparam int COLUMNS = PL + W + PR;
  localparam int B_W = B > 1 ? $clog2(B) : 1;
  localparam int X_BITS = $clog2(COLUMNS + 1);
  localparam int Y_BITS = $clog2(ROWS + 1);

  logic [B_W-1:0] b_q;
  logic [X_BITS-1:0] x_q;
  logic [Y_BITS-1:0] y_q;
  logic real_x, real_y, is_real, is_before, last_b, last_x, last_y;

  assign real_x  = (PL == 0 || x_q >= X_BITS'(PL)) && (PR == 0 || x_q < X_BITS'(PL + W));
  assign real_y  = (PT == 0 || y_q >= Y_BITS'(PT)) && (PB == 0 || y_q < Y_BITS'(PT + H));
  assign is_real = real_x && real_y;
  // Before the picture's first pixel.
  assign is_before = (PT > 0 && y_q < Y_BITS'(PT)) || (PL > 0 && y_q == Y_BITS'(PT) && x_q < X_BITS'(PL));
  assign m_data    = is_real ? s_data : {P{X_W'(VALUE)}};
  assign m_valid   = s_valid || !(is_real || is_before);
  assign s_ready   = m_ready && is_real;
  assign last_b    = B == 1 || b_q == B_W'(B - 1);
  assign last_x    = x_q == X_BITS'(COLUMNS - 1);
  assign last_y    = y_q == Y_BITS'(ROWS - 1);

  always_ff @(posedge clk) begin
    if (m_valid && m_ready) begin
      b_q <= last_b ? '0 : b_q + 1'b1;
      if (last_b) begin
        x_q <= last_x ? '0 : x_q + 1'b1;
        if (last_x) y_q <= last_y ? '0 : y_q + 1'b1;
      end
    end
    if (rst) begin
      b_q <= '0;
      x_q <= '0;
      y_q <= '0;
    end
  end

endmodule

`default_nettype wire
