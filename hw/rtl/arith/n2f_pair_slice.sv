// n2f_pair_slice - p = base + (w1 * 2^S + w0) * x with S = 26 - W_W: two products with one x in a DSP48E2, whose adder goes
//                  on from the slice before it.
//
// Numbers   x: X_W bits, signed or not; w0, w1: signed W_W bits; p: 48 bits, modulo 2^48. FIRST = 1: base is 2^(S-1), else
//           p_before, which must come from another slice: it travels over the wires between neighbours.
// Stream    none; new results every cycle of `en`, and everything holds while `en` is low.
// Latency   4 cycles of `en` from x, w0 and w1 (inputs, w1 * 2^S + w0, product, sum), 1 from p_before.
// Reset     none.
// Synthesis Where SYNTHESIS is defined, a DSP48E2 (UltraScale, UltraScale+) is instantiated: not all tools move the
//           registers and adders of the description into it. With N2F_NO_PRIMITIVES they get the description.
// Twin      src/hwlib/pair-slice.ts
`default_nettype none

`ifdef SYNTHESIS
`ifndef N2F_NO_PRIMITIVES
`define N2F_DSP48E2
`endif
`endif

module n2f_pair_slice #(
    parameter int X_W      = 8,  // bits of x, at least 1; 18 with its sign
    parameter bit X_SIGNED = 1,  // 1: x is two's complement
    parameter int W_W      = 8,  // bits of w0 and of w1, 1 .. 12
    parameter bit FIRST    = 1   // 1: no slice is before this one
) (
    input  wire logic           clk,
    input  wire logic           en,
    input  wire logic [X_W-1:0] x,
    input  wire logic [W_W-1:0] w0,
    input  wire logic [W_W-1:0] w1,
    input  wire logic [47:0]    p_before,
    output      logic [47:0]    p_next,    // to the next slice
    output      logic [47:0]    p
);

  localparam int S = 26 - W_W;
  localparam int FACTOR_W = X_SIGNED ? X_W : X_W + 1;
  localparam logic [47:0] BASE = 48'd1 << (S - 1);

`ifndef SYNTHESIS
  initial begin
    if (X_W < 1 || FACTOR_W > 18) $fatal(1, "n2f_pair_slice: X_W=%0d, must be in 1..18 with a sign", X_W);
    if (W_W < 1 || W_W > 12) $fatal(1, "n2f_pair_slice: W_W=%0d, must be in 1..12", W_W);
  end
`endif

  logic signed [26:0] high, low;
  logic signed [17:0] factor;

  assign high = {w1[W_W-1], w1, S'(0)};
  assign low  = 27'($signed(w0));
  if (X_SIGNED) begin : gen_signed
    assign factor = 18'($signed(x));
  end else begin : gen_unsigned
    assign factor = 18'(x);
  end

`ifdef N2F_DSP48E2
  // UG579: A and D meet in the pre-adder (INMODE: D + A2), the product is X and Y, and Z is nothing or PCIN; the
  // constant comes from RND over W.
  DSP48E2 #(
      .AMULTSEL     ("AD"),
      .AREG         (1),
      .ACASCREG     (1),
      .DREG         (1),
      .ADREG        (1),
      .BREG         (2),
      .BCASCREG     (2),
      .MREG         (1),
      .PREG         (1),
      .CREG         (0),
      .ALUMODEREG   (0),
      .CARRYINREG   (0),
      .CARRYINSELREG(0),
      .INMODEREG    (0),
      .OPMODEREG    (0),
      .RND          (BASE),
      .USE_MULT     ("MULTIPLY")
  ) slice (
      .CLK          (clk),
      .A            ({{3{high[26]}}, high}),
      .B            (factor),
      .C            (48'd0),
      .D            (low),
      .PCIN         (FIRST ? 48'd0 : p_before),
      .PCOUT        (p_next),
      .P            (p),
      .INMODE       (5'b00100),
      .OPMODE       (FIRST ? 9'b10_000_01_01 : 9'b00_001_01_01),
      .ALUMODE      (4'b0000),
      .CARRYIN      (1'b0),
      .CARRYINSEL   (3'b000),
      .ACIN         (30'd0),
      .BCIN         (18'd0),
      .CARRYCASCIN  (1'b0),
      .MULTSIGNIN   (1'b0),
      .CEA1         (1'b0),
      .CEA2         (en),
      .CEAD         (en),
      .CEB1         (en),
      .CEB2         (en),
      .CEC          (1'b0),
      .CED          (en),
      .CEM          (en),
      .CEP          (en),
      .CEALUMODE    (1'b0),
      .CECARRYIN    (1'b0),
      .CECTRL       (1'b0),
      .CEINMODE     (1'b0),
      .RSTA         (1'b0),
      .RSTALLCARRYIN(1'b0),
      .RSTALUMODE   (1'b0),
      .RSTB         (1'b0),
      .RSTC         (1'b0),
      .RSTCTRL      (1'b0),
      .RSTD         (1'b0),
      .RSTINMODE    (1'b0),
      .RSTM         (1'b0),
      .RSTP         (1'b0)
  );
`else
  logic signed [26:0] high_q, low_q, both_q;
  logic signed [17:0] factor_q, factor_2q;
  logic signed [44:0] product_q;
  logic signed [47:0] sum_q;

  always_ff @(posedge clk) begin
    if (en) begin
      high_q    <= high;
      low_q     <= low;
      factor_q  <= factor;
      both_q    <= high_q + low_q;
      factor_2q <= factor_q;
      product_q <= 45'(both_q) * 45'(factor_2q);
      sum_q     <= (FIRST ? BASE : p_before) + 48'(product_q);
    end
  end

  assign p      = sum_q;
  assign p_next = sum_q;
`endif

  logic unused;
  assign unused = &{1'b0, p_before};

endmodule

`default_nettype wire
