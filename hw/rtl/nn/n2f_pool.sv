// n2f_pool - pooling behind a window: the maximum, sum or minimum over K taps of each channel, PE channels at a time.
//
// Numbers   y[c] = max, sum or min over k < K of x[k][c], c < C; x: X_W bits, signed or not; y: Y_W bits, signed as x is, sums
//           modulo 2^Y_W. ROWS windows side by side. CF = C/PE.
// Stream    ready/valid. In, PARALLEL = 1: one beat a window, x[k][c] of row r at bit ((r*K + k)*C + c)*X_W; PARALLEL = 0: CF*K
//           beats, beat cf*K + k with x[k][cf*PE + p] at (r*PE + p)*X_W. Out: CF beats, beat cf with y[cf*PE + p] of row r
//           at (r*PE + p)*Y_W. While a result waits for m_ready all stands still; s_ready depends on m_ready in the cycle.
// Interval  PARALLEL = 1: CF cycles a window; 0: CF*K; without a bubble.
// Latency   L cycles from the step that gives a beat to the beat. PARALLEL = 1: L = max(1, ceil($clog2(K) / 2)), and a window's
//           first step is in the cycle after the one that takes it; 0: L = 1, from the last tap.
// Reset     rst is synchronous and active high; it clears valid and the counters, not data.
// Twin      src/hwlib/pool.ts
`default_nettype none

module n2f_pool #(
    parameter int C        = 4,  // channels, at least 1
    parameter int K        = 4,  // taps, at least 1
    parameter int PE       = 2,  // channels at a time; divides C
    parameter int ROWS     = 1,  // windows side by side, at least 1
    parameter bit PARALLEL = 1,  // 1: a whole window a beat; 0: a tap a beat
    parameter int OP       = 0,  // 0: maximum, 1: sum, 2: minimum
    parameter int X_W      = 8,  // bits of x, at least 1
    parameter bit X_SIGNED = 1,  // 1: x is two's complement
    parameter int Y_W      = 8   // bits of y, at least X_W
) (
    input  wire logic                                   clk,
    input  wire logic                                   rst,

    input  wire logic                                   s_valid,
    output      logic                                   s_ready,
    input  wire logic [ROWS*(PARALLEL?K*C:PE)*X_W-1:0]  s_data,

    output      logic                                   m_valid,
    input  wire logic                                   m_ready,
    output      logic [ROWS*PE*Y_W-1:0]                 m_data
);

`ifndef SYNTHESIS
  initial begin
    if (K < 1) $fatal(1, "n2f_pool: K=%0d, must be at least 1", K);
    if (PE < 1 || C % PE != 0) $fatal(1, "n2f_pool: PE=%0d, must divide C=%0d", PE, C);
    if (ROWS < 1) $fatal(1, "n2f_pool: ROWS=%0d, must be at least 1", ROWS);
    if (OP < 0 || OP > 2) $fatal(1, "n2f_pool: OP=%0d, must be in 0..2", OP);
    if (X_W < 1) $fatal(1, "n2f_pool: X_W=%0d, must be at least 1", X_W);
    if (Y_W < X_W) $fatal(1, "n2f_pool: Y_W=%0d, must be at least X_W=%0d", Y_W, X_W);
  end
`endif

  logic en;

  if (PARALLEL) begin : gen_whole
    localparam int LEVELS = $clog2(K);
    localparam int STAGES = LEVELS < 2 ? 1 : (LEVELS + 1) / 2;

    logic step, unused_ready;
    logic [ROWS*K*PE*X_W-1:0] slices;

    n2f_slicer #(
        .VECTORS(ROWS * K),
        .V      (C),
        .P      (PE),
        .X_W    (X_W)
    ) front (
        .clk,
        .rst,
        .s_valid,
        .s_ready,
        .s_data,
        .en,
        .step,
        .slice(slices)
    );

    n2f_pipe_valid #(
        .STAGES(STAGES)
    ) valid (
        .clk,
        .rst,
        .s_valid(step),
        .s_ready(unused_ready),
        .m_valid,
        .m_ready,
        .en
    );

    for (genvar r = 0; r < ROWS; r++) begin : row
      for (genvar p = 0; p < PE; p++) begin : lane
        logic [K*X_W-1:0] taps;

        for (genvar k = 0; k < K; k++) begin : tap
          assign taps[k*X_W+:X_W] = slices[((r*K+k)*PE+p)*X_W+:X_W];
        end

        n2f_reduce_tree #(
            .LENGTH  (K),
            .OP      (OP),
            .X_W     (X_W),
            .X_SIGNED(X_SIGNED),
            .Y_W     (Y_W)
        ) tree (
            .clk,
            .en,
            .x(taps),
            .y(m_data[(r*PE+p)*Y_W+:Y_W])
        );
      end
    end
  end else begin : gen_taps
    localparam int COUNT_W = K > 1 ? $clog2(K) : 1;

    logic step, first, last, valid_q;
    logic [COUNT_W-1:0] count_q;
    logic [ROWS*PE*Y_W-1:0] best_q;

    assign en      = !valid_q || m_ready;
    assign s_ready = en;
    assign step    = en && s_valid;
    assign first   = K == 1 || count_q == '0;
    assign last    = K == 1 || count_q == COUNT_W'(K - 1);
    assign m_valid = valid_q;
    assign m_data  = best_q;

    always_ff @(posedge clk) begin
      if (en) valid_q <= step && last;
      if (step) count_q <= last ? '0 : count_q + 1'b1;
      if (rst) begin
        valid_q <= 1'b0;
        count_q <= '0;
      end
    end

    for (genvar i = 0; i < ROWS * PE; i++) begin : lane
      logic [Y_W-1:0] x, best, best_d;
      logic greater;

      assign best = best_q[i*Y_W+:Y_W];
      if (X_SIGNED) begin : gen_signed
        assign x       = Y_W'($signed(s_data[i*X_W+:X_W]));
        assign greater = $signed(x) > $signed(best);
      end else begin : gen_unsigned
        assign x       = Y_W'(s_data[i*X_W+:X_W]);
        assign greater = x > best;
      end
      if (OP == 1) begin : gen_sum
        assign best_d = (first ? '0 : best) + x;
      end else begin : gen_extreme
        assign best_d = first || greater == (OP == 0) ? x : best;
      end

      always_ff @(posedge clk) begin
        if (step) best_q[i*Y_W+:Y_W] <= best_d;
      end

      logic unused;
      assign unused = greater;
    end
  end

endmodule

`default_nettype wire
