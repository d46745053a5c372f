// n2f_dot_lut - n2f_dot without multipliers: products from LUTs, whatever the tools think.
//
// Numbers   y = x[0]*w[0] + ... + x[LENGTH-1]*w[LENGTH-1]; x: X_W bits, signed or not, x[i] at bit i*X_W; w: signed W_W
//           bits, likewise; y: modulo 2^Y_W. A product is made of the multiples of x by pairs of bits of w.
// Stream    none; a new result every cycle of `en`, and everything holds while `en` is low.
// Latency   2 + floor($clog2(LENGTH) / 2) cycles of `en`: the multiples, the products, then the adder tree.
// Reset     none.
// Twin      src/hwlib/dot-lut.ts
`default_nettype none

module n2f_dot_lut #(
    parameter int LENGTH   = 4,  // number of products, at least 1
    parameter int X_W      = 8,  // width of x in bits, at least 1
    parameter bit X_SIGNED = 1,  // 1: x is two's complement
    parameter int W_W      = 8,  // width of w in bits, at least 1
    parameter int Y_W      = 18  // width of y in bits, at least 1; X_W + W_W + $clog2(LENGTH) is always enough
) (
    input  wire logic                  clk,
    input  wire logic                  en,
    input  wire logic [LENGTH*X_W-1:0] x,
    input  wire logic [LENGTH*W_W-1:0] w,
    output      logic [Y_W-1:0]        y
);

`ifndef SYNTHESIS
  initial begin
    if (LENGTH < 1) $fatal(1, "n2f_dot_lut: LENGTH=%0d, must be at least 1", LENGTH);
    if (X_W < 1) $fatal(1, "n2f_dot_lut: X_W=%0d, must be at least 1", X_W);
    if (W_W < 1) $fatal(1, "n2f_dot_lut: W_W=%0d, must be at least 1", W_W);
    if (Y_W < 1) $fatal(1, "n2f_dot_lut: Y_W=%0d, must be at least 1", Y_W);
  end
`endif

  localparam int FACTOR_W = X_SIGNED ? X_W : X_W + 1;
  localparam int PRODUCT_W = X_W + W_W < Y_W ? X_W + W_W : Y_W;
  localparam int PAIRS = (W_W + 1) / 2;
  localparam int MULTIPLE_W = FACTOR_W + 2;  // of -2x .. 3x

  logic [LENGTH*PRODUCT_W-1:0] products_q;

  for (genvar i = 0; i < LENGTH; i++) begin : product
    logic signed [FACTOR_W-1:0] factor;
    logic [PAIRS*MULTIPLE_W-1:0] multiples_q;
    logic [PRODUCT_W-1:0] sum;

    if (X_SIGNED) begin : gen_signed
      assign factor = x[i*X_W+:X_W];
    end else begin : gen_unsigned
      assign factor = {1'b0, x[i*X_W+:X_W]};
    end

    // The highest bit of w counts negative: in a pair -2 h + l, alone -l.
    for (genvar j = 0; j < PAIRS; j++) begin : pair
      logic signed [MULTIPLE_W-1:0] low, high, multiple;

      assign low = w[i*W_W+2*j] ? MULTIPLE_W'(factor) : '0;
      if (2 * j + 1 < W_W) begin : gen_two
        assign high = w[i*W_W+2*j+1] ? MULTIPLE_W'(factor) <<< 1 : '0;
        if (2 * j + 2 == W_W) begin : gen_top
          assign multiple = low - high;
        end else begin : gen_inner
          assign multiple = low + high;
        end
      end else begin : gen_single
        assign high     = '0;
        assign multiple = high - low;
      end

      always_ff @(posedge clk) begin
        if (en) multiples_q[j*MULTIPLE_W+:MULTIPLE_W] <= multiple;
      end
    end

    // Neighbours first, which keeps the adders short.
    logic [((PAIRS+1)/2)*PRODUCT_W-1:0] fours;

    for (genvar j = 0; j < PAIRS; j = j + 2) begin : four
      logic signed [MULTIPLE_W-1:0] low;
      logic signed [MULTIPLE_W+2:0] both;

      assign low = multiples_q[j*MULTIPLE_W+:MULTIPLE_W];
      if (j + 1 < PAIRS) begin : gen_two
        logic signed [MULTIPLE_W-1:0] high;

        assign high = multiples_q[(j+1)*MULTIPLE_W+:MULTIPLE_W];
        assign both = (MULTIPLE_W + 3)'(low) + ((MULTIPLE_W + 3)'(high) <<< 2);
      end else begin : gen_one
        assign both = (MULTIPLE_W + 3)'(low);
      end
      assign fours[(j/2)*PRODUCT_W+:PRODUCT_W] = PRODUCT_W'(both) <<< (2 * j);

      logic unused;
      assign unused = &{1'b0, both};
    end

    always_comb begin
      sum = fours[0+:PRODUCT_W];
      for (int k = 1; k < (PAIRS + 1) / 2; k++) sum = sum + fours[k*PRODUCT_W+:PRODUCT_W];
    end

    always_ff @(posedge clk) begin
      if (en) products_q[i*PRODUCT_W+:PRODUCT_W] <= sum;
    end
  end

  n2f_adder_tree #(
      .LENGTH(LENGTH),
      .X_W   (PRODUCT_W),
      .Y_W   (Y_W)
  ) sums (
      .clk,
      .en,
      .x(products_q),
      .y
  );

endmodule

`default_nettype wire
