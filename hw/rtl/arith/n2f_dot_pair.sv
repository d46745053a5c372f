// n2f_dot_pair - two dot products with the same x, a DSP slice for every two products.
//
// Numbers   y[j] = sum over i of x[i]*w[j][i], j = 0, 1; x: X_W bits, signed or not, x[i] at bit i*X_W; w: signed W_W bits;
//           y[j] at bit j*Y_W, modulo 2^Y_W. w comes packed, w[i] of 2*W_W + 1 bits: w0 in the low W_W bits, above it
//           w1, less one where w0 is negative, so that with w0 extended by its sign to S = 26 - W_W bits it is
//           w1 * 2^S + w0. That times x is made by one slice of 27 x 18 bits; of such products at most CHAIN are
//           added up before the lower S bits are cut off, so that the lower sum stays within them:
//           CHAIN = (2^(S-1) - 1) / (2^(W_W-1) * (greatest |x|)), rounded down; 7 for int8 by int8, 4 for uint8 by int8.
// Stream    none; new results every cycle of `en`, and everything holds while `en` is low.
// Latency   2 + T(min(LENGTH, CHAIN)) + T(chains) cycles of `en`, T(n) = floor($clog2(n) / 2): products, sums of a chain,
//           unpacking, sums of chains. Drive x and w from registers: with the product's register they fill a DSP slice.
// Reset     none.
// Twin      src/hwlib/dot-pair.ts
`default_nettype none

module n2f_dot_pair #(
    parameter int LENGTH   = 4,  // number of products, at least 1
    parameter int X_W      = 8,  // width of x in bits, at least 1; 18 with its sign
    parameter bit X_SIGNED = 1,  // 1: x is two's complement
    parameter int W_W      = 8,  // width of w in bits, 1 .. 12
    parameter int Y_W      = 18  // width of y in bits, at least 1
) (
    input  wire logic                          clk,
    input  wire logic                          en,
    input  wire logic [LENGTH*X_W-1:0]         x,
    input  wire logic [LENGTH*(2*W_W+1)-1:0]   w,
    output      logic [2*Y_W-1:0]              y
);

  localparam int FACTOR_W = X_SIGNED ? X_W : X_W + 1;
  localparam int S = 26 - W_W;

  function automatic int chain_of(input int length);
    int greatest;
    greatest = (X_SIGNED ? 1 << (X_W - 1) : (1 << X_W) - 1) << (W_W - 1);
    chain_of = ((1 << (S - 1)) - 1) / greatest;
    if (chain_of > length) chain_of = length;
    if (chain_of < 1) chain_of = 1;
  endfunction

  localparam int CHAIN = chain_of(LENGTH);
  localparam int CHAINS = (LENGTH + CHAIN - 1) / CHAIN;

`ifndef SYNTHESIS
  initial begin
    if (LENGTH < 1) $fatal(1, "n2f_dot_pair: LENGTH=%0d, must be at least 1", LENGTH);
    if (X_W < 1 || FACTOR_W > 18) $fatal(1, "n2f_dot_pair: X_W=%0d, must be in 1..18 with a sign", X_W);
    if (W_W < 1 || W_W > 12) $fatal(1, "n2f_dot_pair: W_W=%0d, must be in 1..12", W_W);
    if (Y_W < 1) $fatal(1, "n2f_dot_pair: Y_W=%0d, must be at least 1", Y_W);
    if ((longint'(X_SIGNED ? 1 << (X_W - 1) : (1 << X_W) - 1) << (W_W - 1)) >= (longint'(1) << (S - 1)))
      $fatal(1, "n2f_dot_pair: X_W=%0d, W_W=%0d, a product leaves its %0d bits", X_W, W_W, S);
  end
`endif

  localparam int A_W = S + W_W + 1;
  localparam int PRODUCT_W = A_W + FACTOR_W;
  localparam int SUM_W = PRODUCT_W + $clog2(CHAIN);
  localparam int HIGH_W = SUM_W - S;

  logic [LENGTH*PRODUCT_W-1:0] products_q;

  for (genvar i = 0; i < LENGTH; i++) begin : product
    logic signed [FACTOR_W-1:0] factor;
    logic signed [A_W-1:0]      both;

    if (X_SIGNED) begin : gen_signed
      assign factor = x[i*X_W+:X_W];
    end else begin : gen_unsigned
      assign factor = {1'b0, x[i*X_W+:X_W]};
    end
    assign both = {w[i*(2*W_W+1)+W_W+:W_W+1], {(S - W_W) {w[i*(2*W_W+1)+W_W-1]}}, w[i*(2*W_W+1)+:W_W]};

    always_ff @(posedge clk) begin
      if (en) products_q[i*PRODUCT_W+:PRODUCT_W] <= PRODUCT_W'(both) * PRODUCT_W'(factor);
    end
  end

  logic [CHAINS*S-1:0] lows_q;
  logic [CHAINS*HIGH_W-1:0] highs_q;

  for (genvar c = 0; c < CHAINS; c++) begin : chain
    localparam int COUNT = LENGTH - c * CHAIN < CHAIN ? LENGTH - c * CHAIN : CHAIN;

    logic [CHAIN*PRODUCT_W-1:0] terms;
    logic [SUM_W-1:0] sum;

    assign terms = (CHAIN * PRODUCT_W)'(products_q[c*CHAIN*PRODUCT_W+:COUNT*PRODUCT_W]);

    n2f_adder_tree #(
        .LENGTH(CHAIN),
        .X_W   (PRODUCT_W),
        .Y_W   (SUM_W)
    ) products (
        .clk,
        .en,
        .x(terms),
        .y(sum)
    );

    // Where the lower sum is negative it has borrowed one from the upper.
    always_ff @(posedge clk) begin
      if (en) begin
        lows_q[c*S+:S]            <= sum[S-1:0];
        highs_q[c*HIGH_W+:HIGH_W] <= sum[SUM_W-1:S] + HIGH_W'(sum[S-1]);
      end
    end
  end

  n2f_adder_tree #(
      .LENGTH(CHAINS),
      .X_W   (S),
      .Y_W   (Y_W)
  ) low_sum (
      .clk,
      .en,
      .x(lows_q),
      .y(y[0+:Y_W])
  );

  n2f_adder_tree #(
      .LENGTH(CHAINS),
      .X_W   (HIGH_W),
      .Y_W   (Y_W)
  ) high_sum (
      .clk,
      .en,
      .x(highs_q),
      .y(y[Y_W+:Y_W])
  );

endmodule

`default_nettype wire
