// n2f_dot_pair - two dot products with the same x, a DSP slice for every two products, whose sums run through the slices.
//
// Numbers   y[j] = sum over i of x[i]*w[j][i], j = 0, 1; x: X_W bits, signed or not, x[i] at bit i*X_W; w: signed W_W bits,
//           w[j][i] at bit (j*LENGTH + i)*W_W; y[j] at bit j*Y_W, modulo 2^Y_W. Chains of CHAIN slices (the last one has
//           what is left) add up (w1 * 2^S + w0) * x, S = 26 - W_W; the sum of the lower products of a chain must stay
//           within S bits, which the caller has to see to. It is worst for CHAIN = (2^(S-1) - 1) / (2^(W_W-1) *
//           (greatest |x|)): 7 for int8 by int8, 4 for uint8 by int8, 8 for uint7 by int8; of given weights far longer
//           chains are exact. A chain begins with 2^(S-1), so that its lower sum never borrows from the upper.
// Stream    none; everything holds while `en` is low. Element i comes D(i) cycles of `en` after those with D = 0, so that
//           it meets the sum of its chain: D(i) = i modulo CHAIN, in the last chain plus what it is shorter than CHAIN.
// Latency   3 + CHAIN + T(chains) cycles of `en` from elements with D = 0, T(n) = floor($clog2(n) / 2).
// Reset     none.
// Twin      src/hwlib/dot-pair.ts
`default_nettype none

module n2f_dot_pair #(
    parameter int LENGTH   = 4,  // number of products, at least 1
    parameter int CHAIN    = 4,  // slices of a chain, 1 .. LENGTH
    parameter int X_W      = 8,  // width of x in bits, at least 1; 18 with its sign
    parameter bit X_SIGNED = 1,  // 1: x is two's complement
    parameter int W_W      = 8,  // width of w in bits, 1 .. 12
    parameter int Y_W      = 18  // width of y in bits, at least 1
) (
    input  wire logic                    clk,
    input  wire logic                    en,
    input  wire logic [LENGTH*X_W-1:0]   x,
    input  wire logic [2*LENGTH*W_W-1:0] w,
    output      logic [2*Y_W-1:0]        y
);

`ifndef SYNTHESIS
  initial begin
    if (LENGTH < 1) $fatal(1, "n2f_dot_pair: LENGTH=%0d, must be at least 1", LENGTH);
    if (CHAIN < 1 || CHAIN > LENGTH) $fatal(1, "n2f_dot_pair: CHAIN=%0d, must be in 1..LENGTH=%0d", CHAIN, LENGTH);
    if (26 + X_W + $clog2(CHAIN) > 48) $fatal(1, "n2f_dot_pair: CHAIN=%0d, X_W=%0d, too long a chain", CHAIN, X_W);
    if (Y_W < 1) $fatal(1, "n2f_dot_pair: Y_W=%0d, must be at least 1", Y_W);
  end
`endif

  localparam int CHAINS = (LENGTH + CHAIN - 1) / CHAIN;
  localparam int S = 26 - W_W;
  localparam int HIGH_W = W_W + X_W + $clog2(CHAIN);  // of the upper sum of a chain

  logic [CHAINS*S-1:0] lows;
  logic [CHAINS*HIGH_W-1:0] highs;

  for (genvar c = 0; c < CHAINS; c++) begin : chain
    localparam int COUNT = LENGTH - c * CHAIN < CHAIN ? LENGTH - c * CHAIN : CHAIN;

    logic [(COUNT+1)*48-1:0] cascade;
    logic [47:0] sum;

    assign cascade[47:0] = '0;

    for (genvar j = 0; j < COUNT; j++) begin : link
      localparam int I = c * CHAIN + j;

      logic [47:0] p;

      n2f_pair_slice #(
          .X_W     (X_W),
          .X_SIGNED(X_SIGNED),
          .W_W     (W_W),
          .FIRST   (j == 0)
      ) slice (
          .clk,
          .en,
          .x       (x[I*X_W+:X_W]),
          .w0      (w[I*W_W+:W_W]),
          .w1      (w[(LENGTH+I)*W_W+:W_W]),
          .p_before(cascade[j*48+:48]),
          .p_next  (cascade[(j+1)*48+:48]),
          .p
      );

      if (j == COUNT - 1) begin : gen_last
        assign sum = p;
      end else begin : gen_inner
        logic unused;
        assign unused = &{1'b0, p};
      end
    end

    // Less the 2^(S-1) that the chain began with.
    assign lows[c*S+:S]             = {~sum[S-1], sum[S-2:0]};
    assign highs[c*HIGH_W+:HIGH_W]  = sum[S+:HIGH_W];

    logic unused;
    assign unused = &{1'b0, sum, cascade[COUNT*48+:48]};
  end

  n2f_adder_tree #(
      .LENGTH(CHAINS),
      .X_W   (S),
      .Y_W   (Y_W)
  ) low_sum (
      .clk,
      .en,
      .x(lows),
      .y(y[0+:Y_W])
  );

  n2f_adder_tree #(
      .LENGTH(CHAINS),
      .X_W   (HIGH_W),
      .Y_W   (Y_W)
  ) high_sum (
      .clk,
      .en,
      .x(highs),
      .y(y[Y_W+:Y_W])
  );

endmodule

`default_nettype wire
