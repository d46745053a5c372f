// n2f_mvu - folded matrix-vector unit for streams: y = W x + b with constant W and b, SIMD elements of x and PE of y
//           at a time.
//
// Numbers   y[n] = bias[n] + sum over k < K of x[k] * w[n][k], n < N; SF = ceil(K/SIMD), NF = ceil(N/PE); weights beyond K
//           and N are zero in the files. x: X_W bits, signed or not; w: signed W_W bits; bias and y: signed ACC_W bits,
//           modulo 2^ACC_W, so a partial sum may wrap as long as the caller has proved that the final sums fit.
//           ROWS vectors run side by side with the same weights.
// Stream    ready/valid. In, PARALLEL = 0: SF beats a vector, beat s holds x[s*SIMD + i] of row r at bit
//           (r*SIMD + i)*X_W (what lies beyond K is multiplied by zero). PARALLEL = 1: one beat a vector, x[k] of row r
//           at (r*K + k)*X_W. Out: NF beats a vector, beat f holds y[f*PE + p] of row r at (r*PE + p)*ACC_W.
//           While a result waits for m_ready the whole unit stands still; s_ready depends on m_ready in the cycle.
// Interval  SF*NF cycles from vector to vector, without a bubble. PARALLEL = 0: the first SF of them take a beat each.
// Latency   L cycles from the last step of a block of PE results to its beat; PARALLEL = 0: from the beat that is taken;
//           PARALLEL = 1: a vector's first step is in the cycle after the one that takes it.
//           MULTIPLIER 0: L = 5 + T(SIMD); 1: 4 + T(SIMD); 2: 5 + CHAIN + T(ceil(SIMD/CHAIN)), T(n) = floor($clog2(n) / 2).
// Products  MULTIPLIER 0: n2f_dot_lut. 1: n2f_dot, ROWS*PE*SIMD DSP slices. 2: n2f_dot_pair, where neighbours among the PE
//           share slices, and sums run through chains of CHAIN slices (see there what is exact): ROWS*ceil(PE/2)*SIMD.
// Memory    weights: MEMORY 0: LUTs, 1: block RAM; with a register behind either. Bias: LUTs. MULTIPLIER 2: a memory for each
//           place in a chain, read D cycles later than that of the first.
// Reset     rst is synchronous and active high; it clears valid and the step counters, not data.
// Files     WEIGHTS: SF*NF hexadecimal words for $readmemh, word f*SF + s with w[f*PE + p][s*SIMD + i] at bit
//           (p*SIMD + i)*W_W. BIAS: NF words, word f with bias[f*PE + p] at bit p*ACC_W. "" stands for all zeros.
//           MULTIPLIER 2: what the names of files begin with, followed by 00.hex, 01.hex, ... for D = 0, 1, ...; word f*SF + s
//           with the elements i of this D only, the j-th of them at (p*COUNT + j)*W_W.
// Twin      src/hwlib/mvu.ts (also makes the files)
`default_nettype none

module n2f_mvu #(
    parameter int K          = 4,   // elements of a vector, at least 1
    parameter int N          = 4,   // elements of a result, at least 1
    parameter int SIMD       = 2,   // elements of x taken in a step, 1 .. K
    parameter int PE         = 2,   // elements of y made at a time, 1 .. N
    parameter int ROWS       = 1,   // vectors side by side, at least 1
    parameter bit PARALLEL   = 0,   // 1: a whole vector a beat
    parameter int X_W        = 8,   // bits of x, at least 1
    parameter bit X_SIGNED   = 1,   // 1: x is two's complement
    parameter int W_W        = 8,   // bits of a weight, at least 1
    parameter int ACC_W      = 18,  // bits of bias, sum and y, at least 1
    parameter int MULTIPLIER = 0,   // 0: LUTs, 1: DSP slices, 2: DSP slices for pairs
    parameter int CHAIN      = 1,   // MULTIPLIER 2: slices of a chain, 1 .. SIMD, at most 100
    parameter int MEMORY     = 0,   // 0: weights in LUTs, 1: in block RAM
    parameter     WEIGHTS    = "",  // file name; untyped because Yosys has no string type
    parameter     BIAS       = ""   // file name
) (
    input  wire logic                                   clk,
    input  wire logic                                   rst,

    input  wire logic                                   s_valid,
    output      logic                                   s_ready,
    input  wire logic [ROWS*(PARALLEL?K:SIMD)*X_W-1:0]  s_data,

    output      logic                                   m_valid,
    input  wire logic                                   m_ready,
    output      logic [ROWS*PE*ACC_W-1:0]               m_data
);

  localparam int FACTOR_W = X_SIGNED ? X_W : X_W + 1;

`ifndef SYNTHESIS
  initial begin
    if (K < 1) $fatal(1, "n2f_mvu: K=%0d, must be at least 1", K);
    if (N < 1) $fatal(1, "n2f_mvu: N=%0d, must be at least 1", N);
    if (SIMD < 1 || SIMD > K) $fatal(1, "n2f_mvu: SIMD=%0d, must be in 1..K=%0d", SIMD, K);
    if (PE < 1 || PE > N) $fatal(1, "n2f_mvu: PE=%0d, must be in 1..N=%0d", PE, N);
    if (ROWS < 1) $fatal(1, "n2f_mvu: ROWS=%0d, must be at least 1", ROWS);
    if (X_W < 1) $fatal(1, "n2f_mvu: X_W=%0d, must be at least 1", X_W);
    if (W_W < 1) $fatal(1, "n2f_mvu: W_W=%0d, must be at least 1", W_W);
    if (ACC_W < 1) $fatal(1, "n2f_mvu: ACC_W=%0d, must be at least 1", ACC_W);
    if (MULTIPLIER < 0 || MULTIPLIER > 2) $fatal(1, "n2f_mvu: MULTIPLIER=%0d, must be in 0..2", MULTIPLIER);
    if (MULTIPLIER == 2 && (FACTOR_W > 18 || W_W > 12))
      $fatal(1, "n2f_mvu: X_W=%0d, W_W=%0d, too wide for two products in a DSP slice", X_W, W_W);
    if (CHAIN < 1 || CHAIN > SIMD || CHAIN > 100)
      $fatal(1, "n2f_mvu: CHAIN=%0d, must be in 1..SIMD=%0d and at most 100", CHAIN, SIMD);
    if (MEMORY < 0 || MEMORY > 1) $fatal(1, "n2f_mvu: MEMORY=%0d, must be 0 or 1", MEMORY);
  end
`endif

  localparam int SF = (K + SIMD - 1) / SIMD;
  localparam int NF = (N + PE - 1) / PE;
  localparam int WORDS = SF * NF;
  localparam int SF_BITS = SF > 1 ? $clog2(SF) : 1;
  localparam int NF_BITS = NF > 1 ? $clog2(NF) : 1;
  localparam int WORD_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int SLICE_W = SIMD * X_W;  // of one row
  localparam int WORD_W = PE * SIMD * W_W;
  localparam int SUM_W = X_W + W_W + $clog2(SIMD);  // of SIMD products
  localparam int DOT_W = SUM_W < ACC_W ? SUM_W : ACC_W;

  // Stages from a step to the registers of its dot products, which the accumulators follow: the operands (which pairs have
  // in their slices), then products and sums.
  localparam int CHAINS = (SIMD + CHAIN - 1) / CHAIN;
  localparam int SINGLE_DEPTH = (MULTIPLIER == 1 ? 3 : 4) + $clog2(SIMD) / 2;
  localparam int DEPTH = MULTIPLIER == 2 ? 4 + CHAIN + $clog2(CHAINS) / 2 : SINGLE_DEPTH;

  // One enable for everything: a result that nobody takes stops the unit.
  logic en;
  assign en = !m_valid || m_ready;

  // ---- Steps --------------------------------------------------------------------------------------------------
  // `step` happens in this cycle; the counters belong to the next one to happen.

  logic step, first_k, last_k, first_n, last_n;
  logic [SF_BITS-1:0] k_q;
  logic [NF_BITS-1:0] n_q;
  logic [WORD_BITS-1:0] word_q;

  assign first_k = SF == 1 || k_q == '0;
  assign last_k  = SF == 1 || k_q == SF_BITS'(SF - 1);
  assign first_n = NF == 1 || n_q == '0;
  assign last_n  = NF == 1 || n_q == NF_BITS'(NF - 1);

  always_ff @(posedge clk) begin
    if (step) begin
      k_q <= last_k ? '0 : k_q + 1'b1;
      if (last_k) n_q <= last_n ? '0 : n_q + 1'b1;
      word_q <= last_k && last_n ? '0 : word_q + 1'b1;
    end
    if (rst) begin
      k_q    <= '0;
      n_q    <= '0;
      word_q <= '0;
    end
  end

  // ---- x of a step, one stage behind it -----------------------------------------------------------------------

  logic [ROWS*SLICE_W-1:0] x_stage;

  if (PARALLEL) begin : gen_whole
    // A vector stays in a register, which turns by SIMD elements a step. load_q: the register is free, or in its last step;
    // known a cycle ahead, because it chooses for all bits of the register.
    logic busy_q, load_q;

    assign s_ready = en && load_q;
    assign step    = en && busy_q;

    always_ff @(posedge clk) begin
      if (en) begin
        if (load_q) busy_q <= s_valid;
        load_q <= WORDS == 1 || (load_q ? !s_valid : word_q == WORD_BITS'(WORDS - 2));
      end
      if (rst) begin
        busy_q <= 1'b0;
        load_q <= 1'b1;
      end
    end

    for (genvar r = 0; r < ROWS; r++) begin : row
      logic [SF*SLICE_W-1:0] x_q, turned;
      logic [SLICE_W-1:0] slice_q;

      if (SF > 1) begin : gen_turn
        assign turned = {x_q[SLICE_W-1:0], x_q[SF*SLICE_W-1:SLICE_W]};
      end else begin : gen_hold
        assign turned = x_q;
      end

      always_ff @(posedge clk) begin
        if (en) begin
          x_q     <= load_q ? (SF * SLICE_W)'(s_data[r*K*X_W+:K*X_W]) : turned;
          slice_q <= x_q[SLICE_W-1:0];
        end
      end

      assign x_stage[r*SLICE_W+:SLICE_W] = slice_q;
    end

    logic unused_first;
    assign unused_first = first_n;
  end else if (NF == 1) begin : gen_pass
    logic [ROWS*SLICE_W-1:0] x_q;

    assign s_ready = en;
    assign step    = en && s_valid;

    always_ff @(posedge clk) begin
      if (en) x_q <= s_data;
    end

    assign x_stage = x_q;

    logic unused_first;
    assign unused_first = first_n;
  end else if (SF == 1) begin : gen_keep
    // The beat is the whole vector: it stays until the next one.
    logic [ROWS*SLICE_W-1:0] x_q;

    assign s_ready = en && first_n;
    assign step    = en && (s_valid || !first_n);

    always_ff @(posedge clk) begin
      if (s_ready) x_q <= s_data;
    end

    assign x_stage = x_q;
  end else begin : gen_buffer
    // The first block takes the beats and keeps them in a buffer for the others.
    (* ram_style = "distributed" *) logic [ROWS*SLICE_W-1:0] kept[0:SF-1];
    logic [ROWS*SLICE_W-1:0] x_q;

    assign s_ready = en && first_n;
    assign step    = en && (s_valid || !first_n);

    always_ff @(posedge clk) begin
      if (s_ready && s_valid) kept[k_q] <= s_data;
    end

    always_ff @(posedge clk) begin
      if (en) x_q <= first_n ? s_data : kept[k_q];
    end

    assign x_stage = x_q;
  end

  // ---- Dot products of SIMD elements --------------------------------------------------------------------------

  logic [ROWS*PE*DOT_W-1:0] dots;

  if (MULTIPLIER == 2) begin : gen_pairs
    // Place j of the chains: its elements and its weights come j cycles later. A chain that is shorter ends with the others.
    localparam int SHORTER = CHAINS * CHAIN - SIMD;
    localparam int DELAYED_W = CHAIN * WORD_BITS;

    logic [PE*SIMD*W_W-1:0] w;
    logic [ROWS*SLICE_W-1:0] x;
    logic [DELAYED_W-1:0] word_pipe;  // the address of place j at j*WORD_BITS

    assign word_pipe[WORD_BITS-1:0] = word_q;
    if (CHAIN > 1) begin : gen_addresses
      logic [DELAYED_W-WORD_BITS-1:0] word_pipe_q;

      always_ff @(posedge clk) begin
        if (en) word_pipe_q <= word_pipe[DELAYED_W-WORD_BITS-1:0];
      end

      assign word_pipe[DELAYED_W-1:WORD_BITS] = word_pipe_q;
    end

    for (genvar j = 0; j < CHAIN; j++) begin : place
      localparam int COUNT = j < SHORTER ? CHAINS - 1 : CHAINS;
      localparam logic [7:0] TENS = 8'(48 + j / 10);
      localparam logic [7:0] ONES = 8'(48 + j % 10);

      logic [PE*COUNT*W_W-1:0] word;

      if (WEIGHTS == "") begin : gen_zeros
        assign word = '0;

        logic unused;
        assign unused = &{1'b0, word_pipe[j*WORD_BITS+:WORD_BITS]};
      end else begin : gen_weights
        n2f_mvu_weights #(
            .DEPTH (WORDS),
            .DATA_W(PE * COUNT * W_W),
            .ADDR_W(WORD_BITS),
            .MEMORY(MEMORY),
            .INIT  ({WEIGHTS, TENS, ONES, ".hex"})
        ) weights (
            .clk,
            .en,
            .addr(word_pipe[j*WORD_BITS+:WORD_BITS]),
            .data(word)
        );
      end

      for (genvar c = 0; c < COUNT; c++) begin : element
        localparam int I = c * CHAIN + j - (c == CHAINS - 1 ? SHORTER : 0);

        for (genvar p = 0; p < PE; p++) begin : lane
          assign w[(p*SIMD+I)*W_W+:W_W] = word[(p*COUNT+c)*W_W+:W_W];
        end
        for (genvar r = 0; r < ROWS; r++) begin : row
          if (j == 0) begin : gen_now
            assign x[r*SLICE_W+I*X_W+:X_W] = x_stage[r*SLICE_W+I*X_W+:X_W];
          end else begin : gen_later
            logic [j*X_W-1:0] later_q;

            always_ff @(posedge clk) begin
              if (en) later_q <= (j * X_W)'({later_q, x_stage[r*SLICE_W+I*X_W+:X_W]});
            end

            assign x[r*SLICE_W+I*X_W+:X_W] = later_q[(j-1)*X_W+:X_W];
          end
        end
      end
    end

    for (genvar p = 0; p < PE; p = p + 2) begin : pair
      localparam int RESULTS = p + 1 < PE ? 2 : 1;

      for (genvar r = 0; r < ROWS; r++) begin : row
        logic [2*DOT_W-1:0] sums;

        n2f_dot_pair #(
            .LENGTH  (SIMD),
            .CHAIN   (CHAIN),
            .X_W     (X_W),
            .X_SIGNED(X_SIGNED),
            .W_W     (W_W),
            .Y_W     (DOT_W)
        ) dot (
            .clk,
            .en,
            .x(x[r*SLICE_W+:SLICE_W]),
            .w((2 * SIMD * W_W)'(w[p*SIMD*W_W+:RESULTS*SIMD*W_W])),
            .y(sums)
        );
        assign dots[(r*PE+p)*DOT_W+:RESULTS*DOT_W] = sums[RESULTS*DOT_W-1:0];

        logic unused_sums;
        assign unused_sums = &{1'b0, sums};
      end
    end
  end else begin : gen_single
    logic [ROWS*SLICE_W-1:0] x_q;
    logic [WORD_W-1:0] word, w_q;

    if (MEMORY == 0) begin : gen_lut_words
      // The address waits, not the word.
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
          .data(word)
      );
    end else begin : gen_block_words
      n2f_rom_block #(
          .DEPTH (WORDS),
          .DATA_W(WORD_W),
          .ADDR_W(WORD_BITS),
          .INIT  (WEIGHTS)
      ) weights (
          .clk,
          .en,
          .addr(word_q),
          .data(word)
      );
    end

    always_ff @(posedge clk) begin
      if (en) begin
        x_q <= x_stage;
        w_q <= word;
      end
    end

    for (genvar r = 0; r < ROWS; r++) begin : row
      for (genvar p = 0; p < PE; p++) begin : lane
        if (MULTIPLIER == 1) begin : gen_dsp
          n2f_dot #(
              .LENGTH  (SIMD),
              .X_W     (X_W),
              .X_SIGNED(X_SIGNED),
              .W_W     (W_W),
              .Y_W     (DOT_W)
          ) dot (
              .clk,
              .en,
              .x(x_q[r*SLICE_W+:SLICE_W]),
              .w(w_q[p*SIMD*W_W+:SIMD*W_W]),
              .y(dots[(r*PE+p)*DOT_W+:DOT_W])
          );
        end else begin : gen_lut
          n2f_dot_lut #(
              .LENGTH  (SIMD),
              .X_W     (X_W),
              .X_SIGNED(X_SIGNED),
              .W_W     (W_W),
              .Y_W     (DOT_W)
          ) dot (
              .clk,
              .en,
              .x(x_q[r*SLICE_W+:SLICE_W]),
              .w(w_q[p*SIMD*W_W+:SIMD*W_W]),
              .y(dots[(r*PE+p)*DOT_W+:DOT_W])
          );
        end
      end
    end
  end

  // ---- Accumulators -------------------------------------------------------------------------------------------
  // What is to be done with the dot products when they come out, DEPTH cycles after their step. The bias is looked up
  // a cycle earlier. The accumulators are the result too: they change a cycle later only if it was taken.

  logic [DEPTH-1:0] step_pipe_q, first_pipe_q, last_pipe_q;
  logic [PE*ACC_W-1:0] bias_q;
  logic [ROWS*PE*ACC_W-1:0] sums_q;
  logic valid_q;

  always_ff @(posedge clk) begin
    if (en) begin
      step_pipe_q  <= DEPTH'({step_pipe_q, step});
      first_pipe_q <= DEPTH'({first_pipe_q, first_k});
      last_pipe_q  <= DEPTH'({last_pipe_q, step && last_k});
      valid_q      <= last_pipe_q[DEPTH-1];
    end
    if (rst) begin
      last_pipe_q <= '0;
      valid_q     <= 1'b0;
    end
  end

  assign m_valid = valid_q;
  assign m_data  = sums_q;

  if (NF == 1) begin : gen_one_bias
    n2f_lut #(
        .DEPTH (1),
        .DATA_W(PE * ACC_W),
        .ADDR_W(1),
        .INIT  (BIAS)
    ) bias (
        .addr(1'b0),
        .data(bias_q)
    );
  end else begin : gen_bias
    logic [(DEPTH-1)*NF_BITS-1:0] n_pipe_q;

    always_ff @(posedge clk) begin
      if (en) n_pipe_q <= ((DEPTH - 1) * NF_BITS)'({n_pipe_q, n_q});
    end

    n2f_rom #(
        .DEPTH (NF),
        .DATA_W(PE * ACC_W),
        .ADDR_W(NF_BITS),
        .INIT  (BIAS)
    ) bias (
        .clk,
        .en,
        .addr(n_pipe_q[(DEPTH-2)*NF_BITS+:NF_BITS]),
        .data(bias_q)
    );
  end

  for (genvar r = 0; r < ROWS; r++) begin : row_sum
    for (genvar p = 0; p < PE; p++) begin : lane_sum
      // Not extended before it is added: Yosys gives the carry chain the shorter operand, and none needs a LUT for that but
      // the choice below.
      logic signed [DOT_W-1:0] dot;
      logic signed [ACC_W-1:0] addend;

      assign dot = dots[(r*PE+p)*DOT_W+:DOT_W];

      if (SF == 1) begin : gen_add
        assign addend = bias_q[p*ACC_W+:ACC_W];
      end else begin : gen_accumulate
        assign addend = first_pipe_q[DEPTH-1] ? bias_q[p*ACC_W+:ACC_W] : sums_q[(r*PE+p)*ACC_W+:ACC_W];
      end

      // Where a step waited for its beat a bubble comes by, which a block that it interrupts must not see.
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
