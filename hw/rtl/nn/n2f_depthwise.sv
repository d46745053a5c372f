// n2f_depthwise - depthwise convolution behind a window: a dot product of K taps for each channel, PE channels at a time.
//
// Numbers   y[c] = bias[c] + sum over k < K of x[k][c] * w[c][k], c < C. x: X_W bits, signed or not; w: signed W_W bits; bias and
//           y: signed ACC_W bits, modulo 2^ACC_W. ROWS windows side by side. CF = C/PE.
// Stream    ready/valid. In, PARALLEL = 1: one beat a window, x[k][c] of row r at bit ((r*K + k)*C + c)*X_W; PARALLEL = 0: CF*K
//           beats, beat cf*K + k with x[k][cf*PE + p] at (r*PE + p)*X_W. Out: CF beats, beat cf with y[cf*PE + p] of row r
//           at (r*PE + p)*ACC_W. While a result waits for m_ready all stands still; s_ready depends on m_ready in the cycle.
// Interval  PARALLEL = 1: CF cycles a window, ROWS*PE*K multipliers; 0: CF*K cycles, ROWS*PE multipliers; without a bubble.
// Latency   L cycles from the step that gives a beat to the beat: 4 with DSP slices, 5 with LUTs, and with PARALLEL
//           floor($clog2(K) / 2) more; there a window's first step is in the cycle after the one that takes it.
// Memory    MEMORY 0: weights in LUTs, 1: in block RAM. Bias: LUTs.
// Reset     rst is synchronous and active high; it clears valid and the counters, not data.
// Files     WEIGHTS: PARALLEL = 1: CF hexadecimal words for $readmemh, w[cf*PE + p][k] at (p*K + k)*W_W; 0: CF*K words, word
//           cf*K + k with w[cf*PE + p][k] at p*W_W. BIAS: CF words, bias[cf*PE + p] at p*ACC_W. "" stands for all zeros.
// Twin      src/hwlib/depthwise.ts (also makes the files)
`default_nettype none

module n2f_depthwise #(
    parameter int C          = 4,   // channels, at least 1
    parameter int K          = 9,   // taps, at least 1
    parameter int PE         = 2,   // channels at a time; divides C
    parameter int ROWS       = 1,   // windows side by side, at least 1
    parameter bit PARALLEL   = 1,   // 1: a whole window a beat; 0: a tap a beat
    parameter int X_W        = 8,   // bits of x, at least 1
    parameter bit X_SIGNED   = 1,   // 1: x is two's complement
    parameter int W_W        = 8,   // bits of a weight, at least 1
    parameter int ACC_W      = 20,  // bits of bias, sum and y, at least 1
    parameter int MULTIPLIER = 1,   // 0: LUTs, 1: DSP slices
    parameter int MEMORY     = 0,   // 0: weights in LUTs, 1: in block RAM
    parameter     WEIGHTS    = "",  // file name; untyped because Yosys has no string type
    parameter     BIAS       = ""   // file name
) (
    input  wire logic                                   clk,
    input  wire logic                                   rst,

    input  wire logic                                   s_valid,
    output      logic                                   s_ready,
    input  wire logic [ROWS*(PARALLEL?K*C:PE)*X_W-1:0]  s_data,

    output      logic                                   m_valid,
    input  wire logic                                   m_ready,
    output      logic [ROWS*PE*ACC_W-1:0]               m_data
);

`ifndef SYNTHESIS
  initial begin
    if (K < 1) $fatal(1, "n2f_depthwise: K=%0d, must be at least 1", K);
    if (PE < 1 || C % PE != 0) $fatal(1, "n2f_depthwise: PE=%0d, must divide C=%0d", PE, C);
    if (ROWS < 1) $fatal(1, "n2f_depthwise: ROWS=%0d, must be at least 1", ROWS);
    if (X_W < 1) $fatal(1, "n2f_depthwise: X_W=%0d, must be at least 1", X_W);
    if (W_W < 1) $fatal(1, "n2f_depthwise: W_W=%0d, must be at least 1", W_W);
    if (ACC_W < 1) $fatal(1, "n2f_depthwise: ACC_W=%0d, must be at least 1", ACC_W);
    if (MULTIPLIER < 0 || MULTIPLIER > 1) $fatal(1, "n2f_depthwise: MULTIPLIER=%0d, must be 0 or 1", MULTIPLIER);
    if (MEMORY < 0 || MEMORY > 1) $fatal(1, "n2f_depthwise: MEMORY=%0d, must be 0 or 1", MEMORY);
  end
`endif

  localparam int CF = C / PE;
  localparam int TAPS = PARALLEL ? K : 1;    // of a step
  localparam int STEPS = PARALLEL ? 1 : K;   // of a block of channels
  localparam int WORDS = CF * STEPS;
  localparam int WORD_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int CF_BITS = CF > 1 ? $clog2(CF) : 1;
  localparam int STEP_BITS = STEPS > 1 ? $clog2(STEPS) : 1;
  localparam int WORD_W = PE * TAPS * W_W;
  localparam int X_STEP_W = ROWS * TAPS * PE * X_W;
  localparam int SUM_W = X_W + W_W + $clog2(TAPS);  // of TAPS products
  localparam int DOT_W = SUM_W < ACC_W ? SUM_W : ACC_W;
  // Stages from a step to its dot products: two for the operands, then products and sums.
  localparam int DEPTH = 2 + (MULTIPLIER == 1 ? 1 : 2) + $clog2(TAPS) / 2;

  logic en, step;
  logic [X_STEP_W-1:0] x_step;

  assign en = !m_valid || m_ready;

  if (PARALLEL) begin : gen_whole
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
        .slice(x_step)
    );
  end else begin : gen_taps
    assign s_ready = en;
    assign step    = en && s_valid;
    assign x_step  = s_data;
  end

  // ---- Steps --------------------------------------------------------------------------------------------------

  logic [STEP_BITS-1:0] tap_q;
  logic [CF_BITS-1:0] cf_q;
  logic [WORD_BITS-1:0] word_q;
  logic first, last, last_cf;

  assign first   = STEPS == 1 || tap_q == '0;
  assign last    = STEPS == 1 || tap_q == STEP_BITS'(STEPS - 1);
  assign last_cf = CF == 1 || cf_q == CF_BITS'(CF - 1);

  always_ff @(posedge clk) begin
    if (step) begin
      tap_q <= last ? '0 : tap_q + 1'b1;
      if (last) cf_q <= last_cf ? '0 : cf_q + 1'b1;
      word_q <= last && last_cf ? '0 : word_q + 1'b1;
    end
    if (rst) begin
      tap_q  <= '0;
      cf_q   <= '0;
      word_q <= '0;
    end
  end

  // ---- Operands, two stages behind the step -------------------------------------------------------------------

  logic [X_STEP_W-1:0] x_1_q, x_q;
  logic [WORD_W-1:0] w_stage, w_q;

  if (MEMORY == 0) begin : gen_lut
    logic [WORD_BITS-1:0] addr_q;

    always_ff @(posedge clk) begin
      if (en) addr_q <= word_q;
    end

    n2f_lut #(
        .DEPTH (WORDS),
        .DATA_W(WORD_W),
        .ADDR_W(WORD_BITS),
        .INIT  (WEIGHTS)
    ) weights (
        .addr(addr_q),
        .data(w_stage)
    );
  end else begin : gen_block
    n2f_rom_block #(
        .DEPTH (WORDS),
        .DATA_W(WORD_W),
        .ADDR_W(WORD_BITS),
        .INIT  (WEIGHTS)
    ) weights (
        .clk,
        .en,
        .addr(word_q),
        .data(w_stage)
    );
  end

  always_ff @(posedge clk) begin
    if (en) begin
      x_1_q <= x_step;
      x_q   <= x_1_q;
      w_q   <= w_stage;
    end
  end

  // ---- Dot products, and sums over the steps of a block -------------------------------------------------------

  logic [DEPTH-1:0] step_pipe_q, first_pipe_q, last_pipe_q;
  logic [(DEPTH-1)*CF_BITS-1:0] cf_pipe_q;
  logic [PE*ACC_W-1:0] bias_q;
  logic [ROWS*PE*ACC_W-1:0] sums_q;
  logic valid_q;

  assign m_valid = valid_q;
  assign m_data  = sums_q;

  always_ff @(posedge clk) begin
    if (en) begin
      step_pipe_q  <= DEPTH'({step_pipe_q, step});
      first_pipe_q <= DEPTH'({first_pipe_q, first});
      last_pipe_q  <= DEPTH'({last_pipe_q, step && last});
      cf_pipe_q    <= ((DEPTH - 1) * CF_BITS)'({cf_pipe_q, cf_q});
      valid_q      <= last_pipe_q[DEPTH-1];
    end
    if (rst) begin
      last_pipe_q <= '0;
      valid_q     <= 1'b0;
    end
  end

  n2f_rom #(
      .DEPTH (CF),
      .DATA_W(PE * ACC_W),
      .ADDR_W(CF_BITS),
      .INIT  (BIAS)
  ) bias (
      .clk,
      .en,
      .addr(cf_pipe_q[(DEPTH-2)*CF_BITS+:CF_BITS]),
      .data(bias_q)
  );

  for (genvar r = 0; r < ROWS; r++) begin : row
    for (genvar p = 0; p < PE; p++) begin : lane
      logic [TAPS*X_W-1:0] x;
      // Not extended before it is added: Yosys gives the carry chain the shorter operand, and none needs a LUT for that but
      // the choice below.
      logic signed [DOT_W-1:0] dot;
      logic signed [ACC_W-1:0] addend;

      for (genvar k = 0; k < TAPS; k++) begin : tap
        assign x[k*X_W+:X_W] = x_q[((r*TAPS+k)*PE+p)*X_W+:X_W];
      end

      if (MULTIPLIER == 1) begin : gen_dsp
        n2f_dot #(
            .LENGTH  (TAPS),
            .X_W     (X_W),
            .X_SIGNED(X_SIGNED),
            .W_W     (W_W),
            .Y_W     (DOT_W)
        ) product (
            .clk,
            .en,
            .x,
            .w(w_q[p*TAPS*W_W+:TAPS*W_W]),
            .y(dot)
        );
      end else begin : gen_lut
        n2f_dot_lut #(
            .LENGTH  (TAPS),
            .X_W     (X_W),
            .X_SIGNED(X_SIGNED),
            .W_W     (W_W),
            .Y_W     (DOT_W)
        ) product (
            .clk,
            .en,
            .x,
            .w(w_q[p*TAPS*W_W+:TAPS*W_W]),
            .y(dot)
        );
      end

      if (STEPS == 1) begin : gen_add
        assign addend = bias_q[p*ACC_W+:ACC_W];
      end else begin : gen_accumulate
        assign addend = first_pipe_q[DEPTH-1] ? bias_q[p*ACC_W+:ACC_W] : sums_q[(r*PE+p)*ACC_W+:ACC_W];
      end

      always_ff @(posedge clk) begin
        /* verilator lint_off WIDTH */
        if (en && step_pipe_q[DEPTH-1]) sums_q[(r*PE+p)*ACC_W+:ACC_W] <= dot + addend;
        /* verilator lint_on WIDTH */
      end
    end
  end

  logic unused;
  assign unused = &{1'b0, first_pipe_q};

endmodule

`default_nettype wire
