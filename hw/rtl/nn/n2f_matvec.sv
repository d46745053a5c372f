// n2f_matvec - folded engine for y = W x + b with constant W and b: PE x SIMD multipliers, used over and over.
//
// Numbers   y[m][n] = bias[n] + sum over k of x[m][k] * w[n][k], for m < ROWS, k < K, n < N,
//           where K = K_STEPS*SIMD and N = N_STEPS*PE; pad with zeros what does not divide.
//           x: X_W bits, signed or not; w: signed W_W bits; bias and y: ACC_W bits, modulo 2^ACC_W, so a partial sum
//           may wrap as long as the caller has proved that the final sums fit.
// Stream    ready/valid. One beat in: x[m][k] at bit (m*K+k)*X_W of s_data, and s_pass, which travels along
//           unchanged. One beat out: y[m][n] at bit (m*N+n)*ACC_W of m_data, and m_pass.
//           While a result waits for m_ready the whole engine stands still; s_ready depends on m_ready in the cycle.
// Interval  C = ROWS*K_STEPS*N_STEPS cycles from one accepted beat to the next, without a bubble.
// Latency   C + D cycles from an accepted beat to its result, D = 3 + floor($clog2(SIMD) / 2).
// Reset     rst is synchronous and active high; it clears valid and the step counters, not data.
// Files     WEIGHTS, N_STEPS*K_STEPS words: word n_step*K_STEPS + k_step holds, at bit (pe*SIMD+simd)*W_W, the weight
//           w[n_step*PE+pe][k_step*SIMD+simd]. BIAS, N_STEPS words: word n_step holds, at bit pe*ACC_W, the bias
//           of n_step*PE+pe. For $readmemh, in the working folder of the tool; "" stands for all zeros.
// Twin      src/hwlib/matvec.ts (also makes the two files)
`default_nettype none

module n2f_matvec #(
    parameter int ROWS     = 1,   // vectors in a beat, at least 1
    parameter int K_STEPS  = 2,   // steps along a vector, at least 1
    parameter int SIMD     = 2,   // elements of a vector taken in a step, at least 1
    parameter int N_STEPS  = 2,   // steps along the result, at least 1
    parameter int PE       = 2,   // elements of the result made at a time, at least 1
    parameter int X_W      = 8,   // width of x in bits, at least 1
    parameter bit X_SIGNED = 1,   // 1: x is two's complement
    parameter int W_W      = 8,   // width of a weight in bits, at least 1
    parameter int ACC_W    = 18,  // width of bias, sum and y in bits, at least 1
    parameter int PASS_W   = 1,   // bits that travel along, at least 1
    parameter     WEIGHTS  = "",  // file name; untyped because Yosys has no string type
    parameter     BIAS     = ""   // file name
) (
    input  wire logic                              clk,
    input  wire logic                              rst,

    input  wire logic                              s_valid,
    output      logic                              s_ready,
    input  wire logic [ROWS*K_STEPS*SIMD*X_W-1:0]  s_data,
    input  wire logic [PASS_W-1:0]                 s_pass,

    output      logic                              m_valid,
    input  wire logic                              m_ready,
    output      logic [ROWS*N_STEPS*PE*ACC_W-1:0]  m_data,
    output      logic [PASS_W-1:0]                 m_pass
);

`ifndef SYNTHESIS
  initial begin
    if (ROWS < 1) $fatal(1, "n2f_matvec: ROWS=%0d, must be at least 1", ROWS);
    if (K_STEPS < 1) $fatal(1, "n2f_matvec: K_STEPS=%0d, must be at least 1", K_STEPS);
    if (SIMD < 1) $fatal(1, "n2f_matvec: SIMD=%0d, must be at least 1", SIMD);
    if (N_STEPS < 1) $fatal(1, "n2f_matvec: N_STEPS=%0d, must be at least 1", N_STEPS);
    if (PE < 1) $fatal(1, "n2f_matvec: PE=%0d, must be at least 1", PE);
    if (X_W < 1) $fatal(1, "n2f_matvec: X_W=%0d, must be at least 1", X_W);
    if (W_W < 1) $fatal(1, "n2f_matvec: W_W=%0d, must be at least 1", W_W);
    if (ACC_W < 1) $fatal(1, "n2f_matvec: ACC_W=%0d, must be at least 1", ACC_W);
    if (PASS_W < 1) $fatal(1, "n2f_matvec: PASS_W=%0d, must be at least 1", PASS_W);
  end
`endif

  localparam int X_BEAT_W = ROWS * K_STEPS * SIMD * X_W;
  localparam int X_STEP_W = SIMD * X_W;
  localparam int W_STEP_W = PE * SIMD * W_W;
  localparam int BLOCK_W = PE * ACC_W;
  localparam int BLOCKS = ROWS * N_STEPS;
  localparam int WORDS = N_STEPS * K_STEPS;

  localparam int K_BITS = K_STEPS > 1 ? $clog2(K_STEPS) : 1;
  localparam int M_BITS = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam int N_BITS = N_STEPS > 1 ? $clog2(N_STEPS) : 1;
  localparam int WORD_BITS = WORDS > 1 ? $clog2(WORDS) : 1;

  // Cycles from a step's operands in x_q and word_q to its dot product: operand registers, then n2f_dot.
  localparam int DEPTH = 2 + $clog2(SIMD) / 2;

  // One enable for everything: a result that nobody takes stops the engine.
  logic en;
  assign en = !m_valid || m_ready;

  // ---- Steps --------------------------------------------------------------------------------------------------
  // Order: n_step slowest, then row, then k_step. The memory is read one step ahead, so that word_q already holds
  // word 0 when a vector is accepted; the flags beside it belong to the same step.

  logic busy_q, primed_q;
  logic accept, advance;
  logic first_q, last_k_q, last_q;
  logic [N_BITS-1:0] n_q;
  logic [W_STEP_W-1:0] word_q;

  assign s_ready = en && (!busy_q || last_q);
  assign accept  = s_valid && s_ready;
  assign advance = en && (busy_q || !primed_q);

  always_ff @(posedge clk) begin
    if (en) begin
      primed_q <= 1'b1;
      if (!busy_q || last_q) busy_q <= s_valid;
    end
    if (rst) begin
      primed_q <= 1'b0;
      busy_q   <= 1'b0;
    end
  end

  logic [K_BITS-1:0] next_k_q;
  logic [M_BITS-1:0] next_m_q;
  logic [N_BITS-1:0] next_n_q;
  logic [WORD_BITS-1:0] next_word_q;
  logic last_k, last_m, last_n;

  assign last_k = K_STEPS == 1 || next_k_q == K_BITS'(K_STEPS - 1);
  assign last_m = ROWS == 1 || next_m_q == M_BITS'(ROWS - 1);
  assign last_n = N_STEPS == 1 || next_n_q == N_BITS'(N_STEPS - 1);

  always_ff @(posedge clk) begin
    if (advance) begin
      first_q  <= next_k_q == '0;
      last_k_q <= last_k;
      last_q   <= last_k && last_m && last_n;
      n_q      <= next_n_q;

      next_k_q <= last_k ? '0 : next_k_q + 1'b1;
      if (last_k) next_m_q <= last_m ? '0 : next_m_q + 1'b1;
      if (last_k && last_m) next_n_q <= last_n ? '0 : next_n_q + 1'b1;

      if (!last_k) next_word_q <= next_word_q + 1'b1;
      else if (!last_m) next_word_q <= next_word_q - WORD_BITS'(K_STEPS - 1);
      else next_word_q <= last_n ? '0 : next_word_q + 1'b1;
    end
    if (rst) begin
      next_k_q    <= '0;
      next_m_q    <= '0;
      next_n_q    <= '0;
      next_word_q <= '0;
    end
  end

  n2f_rom #(
      .DEPTH (WORDS),
      .DATA_W(W_STEP_W),
      .ADDR_W(WORD_BITS),
      .INIT  (WEIGHTS)
  ) weights (
      .clk,
      .en  (advance),
      .addr(next_word_q),
      .data(word_q)
  );

  // ---- The vector, and what travels with it -------------------------------------------------------------------
  // It turns by SIMD elements a step: row after row comes to the bottom, and after the last row the first again.

  logic [X_BEAT_W-1:0] x_q, turned;
  logic [PASS_W-1:0] pass_q;

  if (X_BEAT_W > X_STEP_W) begin : gen_turn
    assign turned = {x_q[X_STEP_W-1:0], x_q[X_BEAT_W-1:X_STEP_W]};
  end else begin : gen_hold
    assign turned = x_q;
  end

  always_ff @(posedge clk) begin
    if (accept) begin
      x_q    <= s_data;
      pass_q <= s_pass;
    end else if (advance) begin
      x_q <= turned;
    end
  end

  // ---- Operands, products, sums -------------------------------------------------------------------------------

  logic [X_STEP_W-1:0] operand_x_q;
  logic [W_STEP_W-1:0] operand_w_q;
  logic [BLOCK_W-1:0] dots, sums;

  always_ff @(posedge clk) begin
    if (en) begin
      operand_x_q <= x_q[X_STEP_W-1:0];
      operand_w_q <= word_q;
    end
  end

  for (genvar pe = 0; pe < PE; pe++) begin : lane
    n2f_dot #(
        .LENGTH  (SIMD),
        .X_W     (X_W),
        .X_SIGNED(X_SIGNED),
        .W_W     (W_W),
        .Y_W     (ACC_W)
    ) dot (
        .clk,
        .en,
        .x(operand_x_q),
        .w(operand_w_q[pe*SIMD*W_W+:SIMD*W_W]),
        .y(dots[pe*ACC_W+:ACC_W])
    );
  end

  // What is to be done with the dot product when it comes out, DEPTH cycles after its step. The bias is looked up a
  // cycle earlier, and what travels along arrives a cycle later, with the result.
  logic [DEPTH-1:0] first_pipe_q, block_pipe_q, done_pipe_q;
  logic [(DEPTH-1)*N_BITS-1:0] n_pipe_q;
  logic [(DEPTH+1)*PASS_W-1:0] pass_pipe_q;

  always_ff @(posedge clk) begin
    if (en) begin
      first_pipe_q <= DEPTH'({first_pipe_q, first_q});
      block_pipe_q <= DEPTH'({block_pipe_q, busy_q && last_k_q});
      done_pipe_q  <= DEPTH'({done_pipe_q, busy_q && last_q});
      n_pipe_q     <= ((DEPTH - 1) * N_BITS)'({n_pipe_q, n_q});
      pass_pipe_q  <= ((DEPTH + 1) * PASS_W)'({pass_pipe_q, pass_q});
    end
    if (rst) done_pipe_q <= '0;
  end

  logic [BLOCK_W-1:0] bias_q;

  n2f_rom #(
      .DEPTH (N_STEPS),
      .DATA_W(BLOCK_W),
      .ADDR_W(N_BITS),
      .INIT  (BIAS)
  ) bias (
      .clk,
      .en,
      .addr(n_pipe_q[(DEPTH-2)*N_BITS+:N_BITS]),
      .data(bias_q)
  );

  if (K_STEPS == 1) begin : gen_add
    logic unused_first;
    assign unused_first = first_pipe_q[DEPTH-1];

    for (genvar pe = 0; pe < PE; pe++) begin : lane_sum
      assign sums[pe*ACC_W+:ACC_W] = bias_q[pe*ACC_W+:ACC_W] + dots[pe*ACC_W+:ACC_W];
    end
  end else begin : gen_accumulate
    logic [BLOCK_W-1:0] sums_q, addends;

    assign addends = first_pipe_q[DEPTH-1] ? bias_q : sums_q;
    for (genvar pe = 0; pe < PE; pe++) begin : lane_sum
      assign sums[pe*ACC_W+:ACC_W] = dots[pe*ACC_W+:ACC_W] + addends[pe*ACC_W+:ACC_W];
    end

    always_ff @(posedge clk) begin
      if (en) sums_q <= sums;
    end
  end

  // ---- The result ---------------------------------------------------------------------------------------------
  // Blocks of PE sums enter at the top, in the order of the steps: block n_step*ROWS + m ends at that place.

  logic [BLOCKS*BLOCK_W-1:0] y_q, y_d;
  logic valid_q;

  if (BLOCKS > 1) begin : gen_shift
    assign y_d = {sums, y_q[BLOCKS*BLOCK_W-1:BLOCK_W]};
  end else begin : gen_load
    assign y_d = sums;
  end

  always_ff @(posedge clk) begin
    if (en) begin
      valid_q <= done_pipe_q[DEPTH-1];
      if (block_pipe_q[DEPTH-1]) y_q <= y_d;
    end
    if (rst) valid_q <= 1'b0;
  end

  for (genvar m = 0; m < ROWS; m++) begin : row
    for (genvar n = 0; n < N_STEPS; n++) begin : block
      assign m_data[(m*N_STEPS+n)*BLOCK_W+:BLOCK_W] = y_q[(n*ROWS+m)*BLOCK_W+:BLOCK_W];
    end
  end

  assign m_valid = valid_q;
  assign m_pass  = pass_pipe_q[DEPTH*PASS_W+:PASS_W];

endmodule

`default_nettype wire
