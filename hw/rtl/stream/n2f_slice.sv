// n2f_slice - part of a picture: some rows and columns stay, the others are dropped.
//
// Numbers   a picture is H rows of W pixels of B beats. Rows Y0 + i*SY, i < OH, and columns X0 + j*SX, j < OW, stay.
// Stream    ready/valid, 1 beat per cycle. A beat that stays passes, without a register on the way; one that is dropped
//           is taken whatever m_ready says.
// Latency   0 cycles.
// Reset     rst is synchronous and active high; it clears the counters.
// Twin      src/hwlib/slice.ts
`default_nettype none

module n2f_slice #(
    parameter int WIDTH = 8,  // bits of a beat, at least 1
    parameter int H     = 4,  // rows, at least 1
    parameter int W     = 4,  // columns, at least 1
    parameter int B     = 1,  // beats of a pixel, at least 1
    parameter int Y0    = 0,  // first row that stays
    parameter int SY    = 1,  // rows from one that stays to the next, at least 1
    parameter int OH    = 4,  // rows that stay, at least 1
    parameter int X0    = 0,  // the same for columns
    parameter int SX    = 1,
    parameter int OW    = 4
) (
    input  wire logic             clk,
    input  wire logic             rst,

    input  wire logic             s_valid,
    output      logic             s_ready,
    input  wire logic [WIDTH-1:0] s_data,

    output      logic             m_valid,
    input  wire logic             m_ready,
    output      logic [WIDTH-1:0] m_data
);

`ifndef SYNTHESIS
  initial begin
    if (WIDTH < 1) $fatal(1, "n2f_slice: WIDTH=%0d, must be at least 1", WIDTH);
    if (H < 1) $fatal(1, "n2f_slice: H=%0d, must be at least 1", H);
    if (W < 1) $fatal(1, "n2f_slice: W=%0d, must be at least 1", W);
    if (B < 1) $fatal(1, "n2f_slice: B=%0d, must be at least 1", B);
    if (Y0 < 0 || SY < 1 || OH < 1 || Y0 + (OH - 1) * SY >= H)
      $fatal(1, "n2f_slice: OH=%0d rows from Y0=%0d on, SY=%0d apart, of %0d", OH, Y0, SY, H);
    if (X0 < 0 || SX < 1 || OW < 1 || X0 + (OW - 1) * SX >= W)
      $fatal(1, "n2f_slice: OW=%0d columns from X0=%0d on, SX=%0d apart, of %0d", OW, X0, SX, W);
  end
`endif

  localparam int B_W = B > 1 ? $clog2(B) : 1;
  localparam int X_BITS = W > 1 ? $clog2(W) : 1;
  localparam int Y_BITS = H > 1 ? $clog2(H) : 1;
  localparam int SX_BITS = SX > 1 ? $clog2(SX) : 1;
  localparam int SY_BITS = SY > 1 ? $clog2(SY) : 1;

  // Counters of the beat, and how many rows and columns are left to skip before the next one that stays.
  logic [B_W-1:0] b_q;
  logic [X_BITS-1:0] x_q;
  logic [Y_BITS-1:0] y_q;
  logic [SX_BITS-1:0] skip_x_q;
  logic [SY_BITS-1:0] skip_y_q;
  logic inside_x, inside_y, keep, step, last_b, last_x, last_y;

  if (X0 == 0 && (OW - 1) * SX + 1 == W) begin : gen_all_x
    assign inside_x = 1'b1;
  end else if (X0 == 0) begin : gen_left_x
    assign inside_x = x_q <= X_BITS'((OW - 1) * SX);
  end else begin : gen_some_x
    assign inside_x = x_q >= X_BITS'(X0) && x_q <= X_BITS'(X0 + (OW - 1) * SX);
  end
  if (Y0 == 0 && (OH - 1) * SY + 1 == H) begin : gen_all_y
    assign inside_y = 1'b1;
  end else if (Y0 == 0) begin : gen_top_y
    assign inside_y = y_q <= Y_BITS'((OH - 1) * SY);
  end else begin : gen_some_y
    assign inside_y = y_q >= Y_BITS'(Y0) && y_q <= Y_BITS'(Y0 + (OH - 1) * SY);
  end

  assign keep    = inside_x && inside_y && skip_x_q == '0 && skip_y_q == '0;
  assign m_data  = s_data;
  assign m_valid = s_valid && keep;
  assign s_ready = m_ready || !keep;
  assign step    = s_valid && s_ready;
  assign last_b  = B == 1 || b_q == B_W'(B - 1);
  assign last_x  = W == 1 || x_q == X_BITS'(W - 1);
  assign last_y  = H == 1 || y_q == Y_BITS'(H - 1);

  always_ff @(posedge clk) begin
    if (step) begin
      b_q <= last_b ? '0 : b_q + 1'b1;
      if (last_b) begin
        x_q <= last_x ? '0 : x_q + 1'b1;
        if (last_x || !inside_x || SX == 1) skip_x_q <= '0;
        else skip_x_q <= skip_x_q == '0 ? SX_BITS'(SX - 1) : skip_x_q - 1'b1;
        if (last_x) begin
          y_q <= last_y ? '0 : y_q + 1'b1;
          if (last_y || !inside_y || SY == 1) skip_y_q <= '0;
          else skip_y_q <= skip_y_q == '0 ? SY_BITS'(SY - 1) : skip_y_q - 1'b1;
        end
      end
    end
    if (rst) begin
      b_q      <= '0;
      x_q      <= '0;
      y_q      <= '0;
      skip_x_q <= '0;
      skip_y_q <= '0;
    end
  end

endmodule

`default_nettype wire
