// n2f_dot - y = x[0]*w[0] + ... + x[LENGTH-1]*w[LENGTH-1], pipelined.
//
// Numbers   x: X_W bits, signed or not, x[i] at bit i*X_W; w: signed W_W bits, likewise; y: modulo 2^Y_W.
// Stream    none; a new result every cycle of `en`, and everything holds while `en` is low.
// Latency   1 + floor($clog2(LENGTH) / 2) cycles of `en`: the products, then the adder tree.
//           Drive x and w from registers: with the product's register they fill a DSP slice.
// Reset     none.
// Twin      src/hwlib/dot.ts
`default_nettype none

module n2f_dot #(
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
    if (LENGTH < 1) $fatal(1, "n2f_dot: LENGTH=%0d, must be at least 1", LENGTH);
    if (X_W < 1) $fatal(1, "n2f_dot: X_W=%0d, must be at least 1", X_W);
    if (W_W < 1) $fatal(1, "n2f_dot: W_W=%0d, must be at least 1", W_W);
    if (Y_W < 1) $fatal(1, "n2f_dot: Y_W=%0d, must be at least 1", Y_W);
  end
`endif

  localparam int FACTOR_W = X_SIGNED ? X_W : X_W + 1;
  localparam int PRODUCT_W = X_W + W_W < Y_W ? X_W + W_W : Y_W;

  logic [LENGTH*PRODUCT_W-1:0] products_d, products_q;

  for (genvar i = 0; i < LENGTH; i++) begin : product
    logic signed [FACTOR_W-1:0] factor;
    logic signed [W_W-1:0]      weight;

    if (X_SIGNED) begin : gen_signed
      assign factor = x[i*X_W+:X_W];
    end else begin : gen_unsigned
      assign factor = {1'b0, x[i*X_W+:X_W]};
    end
    assign weight = w[i*W_W+:W_W];
    assign products_d[i*PRODUCT_W+:PRODUCT_W] = PRODUCT_W'(factor) * PRODUCT_W'(weight);

    // Their upper bits do not count where Y_W is small.
    logic unused;
    assign unused = &{1'b0, factor, weight};
  end

  always_ff @(posedge clk) begin
    if (en) products_q <= products_d;
  end

  n2f_adder_tree #(
      .LENGTH(LENGTH),
      .X_W   (PRODUCT_W),
      .Y_W   (Y_W)
  ) sum (
      .clk,
      .en,
      .x(products_q),
      .y
  );

endmodule

`default_nettype wire
