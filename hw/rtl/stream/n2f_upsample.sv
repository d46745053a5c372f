// n2f_upsample - nearest neighbour: every pixel FX times, every row FY times.
//
// Numbers   rows of W pixels of B beats of WIDTH bits. With W = 1, FY = 1 it repeats each run of B beats FX times.
// Stream    ready/valid, 1 beat per cycle at the output. Steps in the order (row, FY, column, FX, beat); the first of the
//           FY*FX steps for a beat takes it. s_ready depends on m_ready in the cycle.
// Latency   1 cycle, from a beat to its first copy.
// Memory    a row, or a pixel where FY = 1. STYLE 0: LUT RAM, 1: block RAM.
// Reset     rst is synchronous and active high; it clears valid and the counters, not data.
// Twin      src/hwlib/upsample.ts
`default_nettype none

module n2f_upsample #(
    parameter int WIDTH = 8,  // bits of a beat, at least 1
    parameter int W     = 4,  // pixels of a row, at least 1
    parameter int B     = 1,  // beats of a pixel, at least 1
    parameter int FY    = 2,  // copies of a row, at least 1
    parameter int FX    = 2,  // copies of a pixel, at least 1
    parameter int STYLE = 0   // 0: LUT RAM, 1: block RAM
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
    if (WIDTH < 1) $fatal(1, "n2f_upsample: WIDTH=%0d, must be at least 1", WIDTH);
    if (W < 1) $fatal(1, "n2f_upsample: W=%0d, must be at least 1", W);
    if (B < 1) $fatal(1, "n2f_upsample: B=%0d, must be at least 1", B);
    if (FY < 1) $fatal(1, "n2f_upsample: FY=%0d, must be at least 1", FY);
    if (FX < 1) $fatal(1, "n2f_upsample: FX=%0d, must be at least 1", FX);
    if (STYLE < 0 || STYLE > 1) $fatal(1, "n2f_upsample: STYLE=%0d, must be 0 or 1", STYLE);
  end
`endif

  localparam int DEPTH = FY > 1 ? W * B : B;
  localparam int ADDR_W = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int B_W = B > 1 ? $clog2(B) : 1;
  localparam int X_BITS = W > 1 ? $clog2(W) : 1;
  localparam int FX_BITS = FX > 1 ? $clog2(FX) : 1;
  localparam int FY_BITS = FY > 1 ? $clog2(FY) : 1;

  logic [B_W-1:0] b_q;
  logic [FX_BITS-1:0] fx_q;
  logic [X_BITS-1:0] x_q;
  logic [FY_BITS-1:0] fy_q;
  logic [ADDR_W-1:0] addr_q;
  logic en, takes, step, valid_q;
  logic last_b, last_fx, last_x, last_fy;

  assign en      = !valid_q || m_ready;
  assign takes   = fx_q == '0 && fy_q == '0;
  assign s_ready = en && takes;
  assign step    = en && (s_valid || !takes);
  assign m_valid = valid_q;
  assign last_b  = B == 1 || b_q == B_W'(B - 1);
  assign last_fx = FX == 1 || fx_q == FX_BITS'(FX - 1);
  assign last_x  = W == 1 || x_q == X_BITS'(W - 1);
  assign last_fy = FY == 1 || fy_q == FY_BITS'(FY - 1);

  always_ff @(posedge clk) begin
    if (en) valid_q <= step;
    if (step) begin
      b_q <= last_b ? '0 : b_q + 1'b1;
      if (last_b) begin
        fx_q <= last_fx ? '0 : fx_q + 1'b1;
        if (last_fx) begin
          x_q <= last_x ? '0 : x_q + 1'b1;
          if (last_x) fy_q <= last_fy ? '0 : fy_q + 1'b1;
        end
      end
      if (!last_b) addr_q <= addr_q + 1'b1;
      else if (!last_fx) addr_q <= addr_q - ADDR_W'(B - 1);
      else if (FY == 1 || last_x) addr_q <= '0;
      else addr_q <= addr_q + 1'b1;
    end
    if (rst) begin
      valid_q <= 1'b0;
      b_q     <= '0;
      fx_q    <= '0;
      x_q     <= '0;
      fy_q    <= '0;
      addr_q  <= '0;
    end
  end

  if (FX == 1 && FY == 1) begin : gen_pass
    logic [WIDTH-1:0] new_q;

    always_ff @(posedge clk) begin
      if (step) new_q <= s_data;
    end

    assign m_data = new_q;
  end else if (DEPTH == 1) begin : gen_register
    logic [WIDTH-1:0] new_q;

    always_ff @(posedge clk) begin
      if (step && takes) new_q <= s_data;
    end

    assign m_data = new_q;
  end else if (STYLE == 0) begin : gen_lut
    (* ram_style = "distributed" *) logic [WIDTH-1:0] words[0:DEPTH-1];
    logic [WIDTH-1:0] out_q;

    always_ff @(posedge clk) begin
      if (step && takes) words[addr_q] <= s_data;
    end

    always_ff @(posedge clk) begin
      if (step) out_q <= takes ? s_data : words[addr_q];
    end

    assign m_data = out_q;
  end else begin : gen_block
    (* ram_style = "block" *) logic [WIDTH-1:0] words[0:DEPTH-1];
    logic new_sel_q;
    logic [WIDTH-1:0] new_q, word_q;

    always_ff @(posedge clk) begin
      if (step && takes) words[addr_q] <= s_data;
    end

    always_ff @(posedge clk) begin
      if (step) word_q <= words[addr_q];
      if (step) new_sel_q <= takes;
      if (step && takes) new_q <= s_data;
    end

    assign m_data = new_sel_q ? new_q : word_q;
  end

endmodule

`default_nettype wire
