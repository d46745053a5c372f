// n2f_matmul2 - product of two streams: y[m][n] = sum over k of a[m][k] * b[k][n], SIMD of K and PE of N at a time.
//
// Numbers   m < M, k < K, n < N; a: A_W bits, signed or not; b: B_W bits, signed or not; y: signed Y_W bits, modulo 2^Y_W.
//           SF = K/SIMD, NF = N/PE. b is buffered, twice: the next one comes while this one is used; a is streamed.
// Stream    ready/valid. a: M*SF beats of SIMD elements, row by row. b: TRANSPOSED = 0: K*NF beats, b[k][nf*PE + p] at bit p*B_W,
//           row k by row k; 1: N*SF beats, b[sf*SIMD + i][n] at i*B_W, column n by column n (the tensor is [N][K]). Out: M*NF
//           beats, y[m][nf*PE + p] at p*Y_W. A beat of b is taken while its half of the buffer is empty: a half is full from
//           the cycle after its last beat and empty again from the cycle after the last step that uses it. A step
//           (m, nf, sf) in each cycle in which the half is full and the pipeline moves; those of nf = 0 take a beat of a.
//           While a result waits for m_ready the pipeline stands still; s_a_ready depends on m_ready in the cycle.
// Interval  max(M*NF*SF, beats of b).
// Latency   L cycles from the last step of a block of PE results to its beat: 4 + floor($clog2(SIMD) / 2) with DSP slices, one
//           more with LUTs.
// Memory    2*SF*NF words of SIMD*PE elements of b. STYLE 0: LUT RAM, 1: block RAM. A row of a in LUT RAM, where NF > 1.
// Reset     rst is synchronous and active high; it empties the buffer and clears valid, not data.
// Twin      src/hwlib/matmul2.ts
`default_nettype none

module n2f_matmul2 #(
    parameter int M          = 2,   // rows of a, at least 1
    parameter int K          = 4,   // columns of a, rows of b, at least 1
    parameter int N          = 4,   // columns of b, at least 1
    parameter int SIMD       = 2,   // divides K
    parameter int PE         = 2,   // divides N
    parameter bit TRANSPOSED = 0,   // 1: b comes column by column
    parameter int A_W        = 8,   // bits of a, at least 1
    parameter bit A_SIGNED   = 1,   // 1: a is two's complement
    parameter int B_W        = 8,   // bits of b, at least 1
    parameter bit B_SIGNED   = 1,   // 1: b is two's complement
    parameter int Y_W        = 18,  // bits of y, at least 1
    parameter int MULTIPLIER = 1,   // 0: LUTs, 1: DSP slices
    parameter int STYLE      = 0    // b in 0: LUT RAM, 1: block RAM
) (
    input  wire logic                                clk,
    input  wire logic                                rst,

    input  wire logic                                s_a_valid,
    output      logic                                s_a_ready,
    input  wire logic [SIMD*A_W-1:0]                 s_a_data,

    input  wire logic                                s_b_valid,
    output      logic                                s_b_ready,
    input  wire logic [(TRANSPOSED?SIMD:PE)*B_W-1:0] s_b_data,

    output      logic                                m_valid,
    input  wire logic                                m_ready,
    output      logic [PE*Y_W-1:0]                   m_data
);

`ifndef SYNTHESIS
  initial begin
    if (M < 1) $fatal(1, "n2f_matmul2: M=%0d, must be at least 1", M);
    if (SIMD < 1 || K % SIMD != 0) $fatal(1, "n2f_matmul2: SIMD=%0d, must divide K=%0d", SIMD, K);
    if (PE < 1 || N % PE != 0) $fatal(1, "n2f_matmul2: PE=%0d, must divide N=%0d", PE, N);
    if (A_W < 1 || B_W < 1 || Y_W < 1) $fatal(1, "n2f_matmul2: A_W=%0d, B_W=%0d, Y_W=%0d", A_W, B_W, Y_W);
    if (MULTIPLIER < 0 || MULTIPLIER > 1) $fatal(1, "n2f_matmul2: MULTIPLIER=%0d, must be 0 or 1", MULTIPLIER);
    if (STYLE < 0 || STYLE > 1) $fatal(1, "n2f_matmul2: STYLE=%0d, must be 0 or 1", STYLE);
  end
`endif

  localparam int SF = K / SIMD;
  localparam int NF = N / PE;
  localparam int WORDS = SF * NF;
  localparam int ADDR_W = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int SF_BITS = SF > 1 ? $clog2(SF) : 1;
  localparam int NF_BITS = NF > 1 ? $clog2(NF) : 1;
  localparam int M_BITS = M > 1 ? $clog2(M) : 1;
  localparam int BANKS = TRANSPOSED ? PE : SIMD;       // memories side by side, one beat wide
  localparam int BEAT = TRANSPOSED ? SIMD : PE;        // elements of a beat of b
  localparam int INNER = TRANSPOSED ? SF : NF;         // beats of a row or column of b
  localparam int OUTER = TRANSPOSED ? NF : SF;
  localparam int STRIDE = TRANSPOSED ? 1 : SF;         // words from one beat of a row or column to the next
  localparam int NEXT = TRANSPOSED ? SF : 1;           // words from one group of BANKS rows or columns to the next
  localparam int INNER_BITS = INNER > 1 ? $clog2(INNER) : 1;
  localparam int BANK_BITS = BANKS > 1 ? $clog2(BANKS) : 1;
  localparam int OUTER_BITS = OUTER > 1 ? $clog2(OUTER) : 1;
  localparam int FACTOR_W = B_SIGNED ? B_W : B_W + 1;
  localparam int DEPTH = 2 + (MULTIPLIER == 1 ? 1 : 2) + $clog2(SIMD) / 2;

  // ---- b comes in ---------------------------------------------------------------------------------------------

  logic full_0_q, full_1_q;  // halves that are full
  logic write_half_q, read_half_q;
  logic push, last_inner, last_bank, last_outer, filled, emptied;
  logic [INNER_BITS-1:0] inner_q;
  logic [BANK_BITS-1:0] bank_q;
  logic [OUTER_BITS-1:0] outer_q;
  logic [ADDR_W-1:0] group_q, write_q;  // the first word of the group of rows or columns; the word written

  assign s_b_ready  = write_half_q ? !full_1_q : !full_0_q;
  assign push       = s_b_valid && s_b_ready;
  assign last_inner = INNER == 1 || inner_q == INNER_BITS'(INNER - 1);
  assign last_bank  = BANKS == 1 || bank_q == BANK_BITS'(BANKS - 1);
  assign last_outer = OUTER == 1 || outer_q == OUTER_BITS'(OUTER - 1);
  assign filled     = push && last_inner && last_bank && last_outer;

  always_ff @(posedge clk) begin
    if (push) begin
      inner_q <= last_inner ? '0 : inner_q + 1'b1;
      write_q <= write_q + ADDR_W'(STRIDE);
      if (last_inner) begin
        bank_q  <= last_bank ? '0 : bank_q + 1'b1;
        write_q <= group_q;
        if (last_bank) begin
          outer_q <= last_outer ? '0 : outer_q + 1'b1;
          group_q <= last_outer ? '0 : group_q + ADDR_W'(NEXT);
          write_q <= last_outer ? '0 : group_q + ADDR_W'(NEXT);
        end
      end
    end
    if (filled) write_half_q <= !write_half_q;
    if (emptied) read_half_q <= !read_half_q;
    if (filled && !write_half_q) full_0_q <= 1'b1;
    else if (emptied && !read_half_q) full_0_q <= 1'b0;
    if (filled && write_half_q) full_1_q <= 1'b1;
    else if (emptied && read_half_q) full_1_q <= 1'b0;
    if (rst) begin
      inner_q      <= '0;
      bank_q       <= '0;
      outer_q      <= '0;
      group_q      <= '0;
      write_q      <= '0;
      write_half_q <= 1'b0;
      read_half_q  <= 1'b0;
      full_0_q     <= 1'b0;
      full_1_q     <= 1'b0;
    end
  end

  // ---- Steps --------------------------------------------------------------------------------------------------

  logic en, step, full, first_sf, last_sf, first_nf, last_nf, last_m;
  logic [SF_BITS-1:0] sf_q;
  logic [NF_BITS-1:0] nf_q;
  logic [M_BITS-1:0] m_q;
  logic [ADDR_W-1:0] read_q;

  assign en        = !m_valid || m_ready;
  assign full      = read_half_q ? full_1_q : full_0_q;
  assign first_sf  = SF == 1 || sf_q == '0;
  assign last_sf   = SF == 1 || sf_q == SF_BITS'(SF - 1);
  assign first_nf  = NF == 1 || nf_q == '0;
  assign last_nf   = NF == 1 || nf_q == NF_BITS'(NF - 1);
  assign last_m    = M == 1 || m_q == M_BITS'(M - 1);
  assign s_a_ready = en && full && first_nf;
  assign step      = en && full && (s_a_valid || !first_nf);
  assign emptied   = step && last_sf && last_nf && last_m;

  always_ff @(posedge clk) begin
    if (step) begin
      sf_q   <= last_sf ? '0 : sf_q + 1'b1;
      read_q <= last_sf && last_nf ? '0 : read_q + 1'b1;
      if (last_sf) nf_q <= last_nf ? '0 : nf_q + 1'b1;
      if (last_sf && last_nf) m_q <= last_m ? '0 : m_q + 1'b1;
    end
    if (rst) begin
      sf_q   <= '0;
      nf_q   <= '0;
      m_q    <= '0;
      read_q <= '0;
    end
  end

  // ---- Operands, two stages behind the step -------------------------------------------------------------------

  logic [SIMD*A_W-1:0] a_1_q, a_q;
  logic [BANKS*BEAT*B_W-1:0] b_1_q, b_q;

  if (NF == 1) begin : gen_pass
    always_ff @(posedge clk) begin
      if (en) a_1_q <= s_a_data;
    end
  end else if (SF == 1) begin : gen_keep
    always_ff @(posedge clk) begin
      if (s_a_ready) a_1_q <= s_a_data;
    end
  end else begin : gen_buffer
    (* ram_style = "distributed" *) logic [SIMD*A_W-1:0] kept[0:SF-1];

    always_ff @(posedge clk) begin
      if (s_a_ready && s_a_valid) kept[sf_q] <= s_a_data;
    end

    always_ff @(posedge clk) begin
      if (en) a_1_q <= first_nf ? s_a_data : kept[sf_q];
    end
  end

  for (genvar i = 0; i < BANKS; i++) begin : bank
    logic write;
    logic [BEAT*B_W-1:0] word_q;

    assign write                        = push && bank_q == BANK_BITS'(i);
    assign b_1_q[i*BEAT*B_W+:BEAT*B_W] = word_q;

    if (STYLE == 0) begin : gen_lut
      (* ram_style = "distributed" *) logic [BEAT*B_W-1:0] words[0:(2<<ADDR_W)-1];

      always_ff @(posedge clk) begin
        if (write) words[{write_half_q, write_q}] <= s_b_data;
      end

      always_ff @(posedge clk) begin
        if (en) word_q <= words[{read_half_q, read_q}];
      end
    end else begin : gen_block
      (* ram_style = "block" *) logic [BEAT*B_W-1:0] words[0:(2<<ADDR_W)-1];

      always_ff @(posedge clk) begin
        if (write) words[{write_half_q, write_q}] <= s_b_data;
      end

      always_ff @(posedge clk) begin
        if (en) word_q <= words[{read_half_q, read_q}];
      end
    end
  end

  always_ff @(posedge clk) begin
    if (en) begin
      a_q <= a_1_q;
      b_q <= b_1_q;
    end
  end

  // ---- Dot products, and sums over the steps of a block -------------------------------------------------------

  logic [DEPTH-1:0] step_pipe_q, first_pipe_q, last_pipe_q;
  logic [PE*Y_W-1:0] sums_q;
  logic valid_q;

  assign m_valid = valid_q;
  assign m_data  = sums_q;

  always_ff @(posedge clk) begin
    if (en) begin
      step_pipe_q  <= DEPTH'({step_pipe_q, step});
      first_pipe_q <= DEPTH'({first_pipe_q, first_sf});
      last_pipe_q  <= DEPTH'({last_pipe_q, step && last_sf});
      valid_q      <= last_pipe_q[DEPTH-1];
    end
    if (rst) begin
      last_pipe_q <= '0;
      valid_q     <= 1'b0;
    end
  end

  for (genvar p = 0; p < PE; p++) begin : lane
    logic [SIMD*FACTOR_W-1:0] b;
    logic [Y_W-1:0] dot, addend;

    for (genvar i = 0; i < SIMD; i++) begin : element
      localparam int AT = (TRANSPOSED ? p * SIMD + i : i * PE + p) * B_W;

      if (B_SIGNED) begin : gen_signed
        assign b[i*FACTOR_W+:FACTOR_W] = b_q[AT+:B_W];
      end else begin : gen_unsigned
        assign b[i*FACTOR_W+:FACTOR_W] = {1'b0, b_q[AT+:B_W]};
      end
    end

    if (MULTIPLIER == 1) begin : gen_dsp
      n2f_dot #(
          .LENGTH  (SIMD),
          .X_W     (A_W),
          .X_SIGNED(A_SIGNED),
          .W_W     (FACTOR_W),
          .Y_W     (Y_W)
      ) product (
          .clk,
          .en,
          .x(a_q),
          .w(b),
          .y(dot)
      );
    end else begin : gen_lut
      n2f_dot_lut #(
          .LENGTH  (SIMD),
          .X_W     (A_W),
          .X_SIGNED(A_SIGNED),
          .W_W     (FACTOR_W),
          .Y_W     (Y_W)
      ) product (
          .clk,
          .en,
          .x(a_q),
          .w(b),
          .y(dot)
      );
    end

    if (SF == 1) begin : gen_add
      assign addend = '0;
    end else begin : gen_accumulate
      assign addend = first_pipe_q[DEPTH-1] ? '0 : sums_q[p*Y_W+:Y_W];
    end

    always_ff @(posedge clk) begin
      if (en && step_pipe_q[DEPTH-1]) sums_q[p*Y_W+:Y_W] <= dot + addend;
    end
  end

  logic unused;
  assign unused = &{1'b0, first_pipe_q};

endmodule

`default_nettype wire
