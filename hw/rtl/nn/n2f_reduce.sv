// n2f_reduce - the maximum, sum or minimum of each channel over all pixels: global pooling.
//
// Numbers   PIXELS pixels of BEATS beats of P channels. x: X_W bits, signed or not; y: Y_W bits, signed as x is, sums modulo
//           2^Y_W.
// Stream    ready/valid, 1 beat per cycle. In: PIXELS*BEATS beats, channel p at bit p*X_W. Out: BEATS beats, at p*Y_W, one for
//           each beat of the last pixel. s_ready depends on m_ready in the cycle.
// Latency   1 cycle, from a beat of the last pixel to its result.
// Memory    BEATS results in LUT RAM, where BEATS > 1.
// Reset     rst is synchronous and active high; it clears valid and the counters, not data.
// Twin      src/hwlib/reduce.ts
`default_nettype none

module n2f_reduce #(
    parameter int PIXELS   = 4,  // at least 1
    parameter int BEATS    = 1,  // beats of a pixel, at least 1
    parameter int P        = 2,  // channels of a beat, at least 1
    parameter int OP       = 1,  // 0: maximum, 1: sum, 2: minimum
    parameter int X_W      = 8,  // bits of x, at least 1
    parameter bit X_SIGNED = 1,  // 1: x is two's complement
    parameter int Y_W      = 10  // bits of y, at least X_W
) (
    input  wire logic             clk,
    input  wire logic             rst,

    input  wire logic             s_valid,
    output      logic             s_ready,
    input  wire logic [P*X_W-1:0] s_data,

    output      logic             m_valid,
    input  wire logic             m_ready,
    output      logic [P*Y_W-1:0] m_data
);

`ifndef SYNTHESIS
  initial begin
    if (PIXELS < 1) $fatal(1, "n2f_reduce: PIXELS=%0d, must be at least 1", PIXELS);
    if (BEATS < 1) $fatal(1, "n2f_reduce: BEATS=%0d, must be at least 1", BEATS);
    if (P < 1) $fatal(1, "n2f_reduce: P=%0d, must be at least 1", P);
    if (OP < 0 || OP > 2) $fatal(1, "n2f_reduce: OP=%0d, must be in 0..2", OP);
    if (X_W < 1) $fatal(1, "n2f_reduce: X_W=%0d, must be at least 1", X_W);
    if (Y_W < X_W) $fatal(1, "n2f_reduce: Y_W=%0d, must be at least X_W=%0d", Y_W, X_W);
  end
`endif

  localparam int BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int PIXEL_W = PIXELS > 1 ? $clog2(PIXELS) : 1;

  logic en, step, first, last, last_beat, valid_q;
  logic [BEAT_W-1:0] beat_q;
  logic [PIXEL_W-1:0] pixel_q;
  logic [P*Y_W-1:0] best, best_d, out_q;

  assign en        = !valid_q || m_ready;
  assign s_ready   = en;
  assign step      = en && s_valid;
  assign first     = PIXELS == 1 || pixel_q == '0;
  assign last      = PIXELS == 1 || pixel_q == PIXEL_W'(PIXELS - 1);
  assign last_beat = BEATS == 1 || beat_q == BEAT_W'(BEATS - 1);
  assign m_valid   = valid_q;
  assign m_data    = out_q;

  always_ff @(posedge clk) begin
    if (en) valid_q <= step && last;
    if (step) begin
      beat_q <= last_beat ? '0 : beat_q + 1'b1;
      if (last_beat) pixel_q <= last ? '0 : pixel_q + 1'b1;
      out_q <= best_d;
    end
    if (rst) begin
      valid_q <= 1'b0;
      beat_q  <= '0;
      pixel_q <= '0;
    end
  end

  if (BEATS == 1) begin : gen_register
    assign best = out_q;
  end else begin : gen_memory
    (* ram_style = "distributed" *) logic [P*Y_W-1:0] words[0:BEATS-1];

    always_ff @(posedge clk) begin
      if (step) words[beat_q] <= best_d;
    end

    assign best = words[beat_q];
  end

  for (genvar p = 0; p < P; p++) begin : lane
    logic [Y_W-1:0] x, old;
    logic greater;

    assign old = best[p*Y_W+:Y_W];
    if (X_SIGNED) begin : gen_signed
      assign x       = Y_W'($signed(s_data[p*X_W+:X_W]));
      assign greater = $signed(x) > $signed(old);
    end else begin : gen_unsigned
      assign x       = Y_W'(s_data[p*X_W+:X_W]);
      assign greater = x > old;
    end
    if (OP == 1) begin : gen_sum
      assign best_d[p*Y_W+:Y_W] = (first ? '0 : old) + x;
    end else begin : gen_extreme
      assign best_d[p*Y_W+:Y_W] = first || greater == (OP == 0) ? x : old;
    end

    logic unused;
    assign unused = greater;
  end

endmodule

`default_nettype wire
