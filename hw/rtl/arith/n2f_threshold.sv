// n2f_threshold - y = number of thresholds of the channel that are at most x, by binary search.
//
// Numbers   x: X_W bits, signed or not; 2^Y_W - 1 rising thresholds a channel, T_W bits, signed as x is; y: unsigned, Y_W bits.
//           ROWS pixels side by side.
// Stream    ready/valid, 1 beat per cycle. Lane p of row r at bit (r*P + p)*X_W, and *Y_W; beat b of every BEATS beats has the
//           channels b*P .. b*P + P-1. s_ready depends on m_ready in the cycle.
// Latency   2*Y_W cycles: for each bit of y a look-up and a comparison.
// Reset     rst is synchronous and active high; it clears valid and the counter, not data.
// Files     THRESHOLDS: BEATS * 2^Y_W hexadecimal words for $readmemh, word b*2^Y_W + i with the i-th thresholds (from 1 on) of a
//           beat's channels, of lane p at bit p*T_W; the words with i = 0 are not used.
// Twin      src/hwlib/threshold.ts (also makes the file)
`default_nettype none

module n2f_threshold #(
    parameter int P          = 1,  // channels of a beat, at least 1
    parameter int ROWS       = 1,  // pixels side by side, at least 1
    parameter int BEATS      = 1,  // beats of a pixel, at least 1
    parameter int X_W        = 8,  // bits of x, at least 1
    parameter bit X_SIGNED   = 1,  // 1: x is two's complement
    parameter int T_W        = 9,  // bits of a threshold, at least X_W
    parameter int Y_W        = 2,  // bits of y, 1 .. 12
    parameter     THRESHOLDS = ""  // file name; untyped because Yosys has no string type
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
    if (P < 1) $fatal(1, "n2f_threshold: P=%0d, must be at least 1", P);
    if (ROWS < 1) $fatal(1, "n2f_threshold: ROWS=%0d, must be at least 1", ROWS);
    if (BEATS < 1) $fatal(1, "n2f_threshold: BEATS=%0d, must be at least 1", BEATS);
    if (X_W < 1) $fatal(1, "n2f_threshold: X_W=%0d, must be at least 1", X_W);
    if (T_W < X_W) $fatal(1, "n2f_threshold: T_W=%0d, must be at least X_W=%0d", T_W, X_W);
    if (Y_W < 1 || Y_W > 12) $fatal(1, "n2f_threshold: Y_W=%0d, must be in 1..12", Y_W);
  end
`endif

  localparam int BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;

  logic [P*T_W-1:0] words[0:(BEATS<<Y_W)-1];

  if (THRESHOLDS != "") begin : gen_file
    initial $readmemh(THRESHOLDS, words);
  end else begin : gen_zeros
    initial for (int i = 0; i < BEATS << Y_W; i++) words[i] = '0;
  end

  logic en;

  n2f_pipe_valid #(
      .STAGES(2 * Y_W)
  ) valid (
      .clk,
      .rst,
      .s_valid,
      .s_ready,
      .m_valid,
      .m_ready,
      .en
  );

  // Each stage has what the stage before it gives: the beat, x, and the bits of y found so far.
  for (genvar s = 0; s <= Y_W; s++) begin : stage
    logic [BEAT_W-1:0] beat_q;
    logic [ROWS*P*X_W-1:0] x_q;
    logic [ROWS*P*Y_W-1:0] y_q;

    if (s == 0) begin : gen_in
      assign x_q = s_data;
      assign y_q = '0;

      always_ff @(posedge clk) begin
        if (s_valid && s_ready) beat_q <= BEATS == 1 || beat_q == BEAT_W'(BEATS - 1) ? '0 : beat_q + 1'b1;
        if (rst) beat_q <= '0;
      end
    end else begin : gen_bit
      localparam int BIT = Y_W - s;

      logic [BEAT_W-1:0] beat_1_q;
      logic [ROWS*P*X_W-1:0] x_1_q;
      logic [ROWS*P*Y_W-1:0] y_1_q;

      always_ff @(posedge clk) begin
        if (en) begin
          beat_1_q <= stage[s-1].beat_q;
          beat_q   <= beat_1_q;
          x_1_q    <= stage[s-1].x_q;
          x_q      <= x_1_q;
          y_1_q    <= stage[s-1].y_q;
        end
      end

      for (genvar i = 0; i < ROWS * P; i++) begin : lane
        logic [Y_W-1:0] candidate;
        logic [P*T_W-1:0] word;
        logic [T_W-1:0] threshold_q;
        logic reached;

        assign candidate = stage[s-1].y_q[i*Y_W+:Y_W] | Y_W'(1 << BIT);
        if (BEATS == 1) begin : gen_one
          assign word = words[candidate];
        end else begin : gen_beats
          assign word = words[{stage[s-1].beat_q, candidate}];
        end

        if (X_SIGNED) begin : gen_signed
          logic signed [T_W-1:0] x;

          assign x       = T_W'($signed(x_1_q[i*X_W+:X_W]));
          assign reached = x >= $signed(threshold_q);
        end else begin : gen_unsigned
          assign reached = T_W'(x_1_q[i*X_W+:X_W]) >= threshold_q;
        end

        always_ff @(posedge clk) begin
          if (en) begin
            threshold_q        <= word[(i%P)*T_W+:T_W];
            y_q[i*Y_W+:Y_W]    <= y_1_q[i*Y_W+:Y_W] | (reached ? Y_W'(1 << BIT) : '0);
          end
        end

        logic unused;
        assign unused = &{1'b0, word};
      end
    end
  end

  assign m_data = stage[Y_W].y_q;

  logic unused;
  assign unused = &{1'b0, stage[Y_W].beat_q, stage[Y_W].x_q};

endmodule

`default_nettype wire
