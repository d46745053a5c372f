// n2f_scale - multiplier and shift: y = (x * factor + offset) / 2^SHIFT, rounded and limited, constants for each channel.
//
// Numbers   x: X_W bits, signed or not; factor: signed M_W bits; offset: signed O_W bits; the sum is exact. y: Y_W bits, signed or
//           not; ROUNDING and OVERFLOW as n2f_requantize has them. ROWS pixels side by side.
// Stream    ready/valid, 1 beat per cycle. Lane p of row r at bit (r*P + p)*X_W, and *Y_W; beat b of every BEATS beats has the
//           channels b*P .. b*P + P-1. s_ready depends on m_ready in the cycle.
// Latency   5 cycles.
// Reset     rst is synchronous and active high; it clears valid and the counter, not data.
// Files     CONSTANTS: BEATS hexadecimal words for $readmemh, of lane p the factor at bit p*(M_W + O_W), the offset above it.
// Twin      src/hwlib/scale.ts (also makes the file)
`default_nettype none

module n2f_scale #(
    parameter int P         = 1,   // channels of a beat, at least 1
    parameter int ROWS      = 1,   // pixels side by side, at least 1
    parameter int BEATS     = 1,   // beats of a pixel, at least 1
    parameter int X_W       = 16,  // bits of x, at least 1
    parameter bit X_SIGNED  = 1,   // 1: x is two's complement
    parameter int M_W       = 16,  // bits of a factor, at least 1
    parameter int O_W       = 16,  // bits of an offset, at least 1
    parameter int Y_W       = 8,   // bits of y, at least 1
    parameter bit Y_SIGNED  = 1,   // 1: y is two's complement
    parameter int SHIFT     = 16,  // bits dropped; negative: shifted left
    parameter int ROUNDING  = 1,   // 0 .. 3, see n2f_requantize
    parameter int OVERFLOW  = 0,   // 0 .. 3, see n2f_requantize
    parameter     CONSTANTS = ""   // file name; untyped because Yosys has no string type
) (
    input  wire logic                   clk,
    input  wire logic                   rst,

    input  wire logic                   s_valid,
    output      logic                   s_ready,
    input  wire logic [ROWS*P*X_W-1:0]  s_data,

    output      logic                   m_valid,
    input  wire logic                   m_ready,
    output      logic [ROWS*P*Y_W-1:0]  m_data
);

`ifndef SYNTHESIS
  initial begin
    if (P < 1) $fatal(1, "n2f_scale: P=%0d, must be at least 1", P);
    if (ROWS < 1) $fatal(1, "n2f_scale: ROWS=%0d, must be at least 1", ROWS);
    if (BEATS < 1) $fatal(1, "n2f_scale: BEATS=%0d, must be at least 1", BEATS);
    if (X_W < 1) $fatal(1, "n2f_scale: X_W=%0d, must be at least 1", X_W);
    if (M_W < 1) $fatal(1, "n2f_scale: M_W=%0d, must be at least 1", M_W);
    if (O_W < 1) $fatal(1, "n2f_scale: O_W=%0d, must be at least 1", O_W);
  end
`endif

  localparam int BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int FACTOR_W = X_SIGNED ? X_W : X_W + 1;
  localparam int PRODUCT_W = FACTOR_W + M_W;
  localparam int SUM_W = (PRODUCT_W > O_W ? PRODUCT_W : O_W) + 1;
  localparam int PAIR_W = M_W + O_W;

  logic en;

  n2f_pipe_valid #(
      .STAGES(5)
  ) valid (
      .clk,
      .rst,
      .s_valid,
      .s_ready,
      .m_valid,
      .m_ready,
      .en
  );

  logic [BEAT_W-1:0] beat_q;

  always_ff @(posedge clk) begin
    if (s_valid && s_ready) beat_q <= BEATS == 1 || beat_q == BEAT_W'(BEATS - 1) ? '0 : beat_q + 1'b1;
    if (rst) beat_q <= '0;
  end

  // First stage: the constants are looked up. Second: the operands in registers.
  logic [P*PAIR_W-1:0] constants, constants_q;
  logic [ROWS*P*X_W-1:0] x_1_q, x_2_q;

  n2f_rom #(
      .DEPTH (BEATS),
      .DATA_W(P * PAIR_W),
      .ADDR_W(BEAT_W),
      .INIT  (CONSTANTS)
  ) table_of_constants (
      .clk,
      .en,
      .addr(beat_q),
      .data(constants)
  );

  always_ff @(posedge clk) begin
    if (en) begin
      x_1_q       <= s_data;
      x_2_q       <= x_1_q;
      constants_q <= constants;
    end
  end

  for (genvar p = 0; p < P; p++) begin : channel
    logic signed [M_W-1:0] factor;
    logic signed [O_W-1:0] offset_q;

    assign factor = constants_q[p*PAIR_W+:M_W];

    always_ff @(posedge clk) begin
      if (en) offset_q <= constants_q[p*PAIR_W+M_W+:O_W];
    end

    for (genvar r = 0; r < ROWS; r++) begin : row
      logic signed [FACTOR_W-1:0]  x;
      logic signed [PRODUCT_W-1:0] product_q;
      logic signed [SUM_W-1:0]     sum_q;
      logic [Y_W-1:0] y, y_q;

      if (X_SIGNED) begin : gen_signed
        assign x = x_2_q[(r*P+p)*X_W+:X_W];
      end else begin : gen_unsigned
        assign x = {1'b0, x_2_q[(r*P+p)*X_W+:X_W]};
      end

      always_ff @(posedge clk) begin
        if (en) begin
          product_q <= PRODUCT_W'(x) * PRODUCT_W'(factor);
          sum_q     <= SUM_W'(product_q) + SUM_W'(offset_q);
          y_q       <= y;
        end
      end

      n2f_requantize #(
          .IN_W      (SUM_W),
          .IN_SIGNED (1'b1),
          .OUT_W     (Y_W),
          .OUT_SIGNED(Y_SIGNED),
          .SHIFT     (SHIFT),
          .ROUNDING  (ROUNDING),
          .OVERFLOW  (OVERFLOW)
      ) requantize (
          .x(sum_q),
          .y
      );

      assign m_data[(r*P+p)*Y_W+:Y_W] = y_q;
    end
  end

endmodule

`default_nettype wire
