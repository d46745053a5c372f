// tiny_top_s0 - unrolled logic of net, 3 registers deep.
//
// Made by nn2fpga VERSION; changes here are lost.
// Numbers   x and y are vectors of integer codes side by side; every wire has just the width that its
//           proven interval needs. n12_3 is n12, three cycles later.
// Twin      network/network.n2fg of this bundle
`default_nettype none

// Containers of the packet are wider than their codes, and a wire's top bits may only carry its sign: bits that
// nobody reads are no mistake here.
/* verilator lint_off UNUSEDSIGNAL */
module tiny_top_s0 (
    input  wire logic          clk,
    input  wire logic          en,  // 0: everything stands still
    input  wire logic [15:0] x,
    output      logic [15:0] y
);

  // x (Input)
  logic signed [7:0] n0;
  logic signed [7:0] n1;

  // fc1 (Gemm)
  wire signed [9:0] n9 = 10'(n0) + (10'(n1) << 1);
  wire signed [10:0] n11 = 11'h20 + (11'(n9) << 1);
  wire signed [8:0] n12 = 9'(n1) - 9'(n0);
  wire signed [10:0] n13 = 11'(n12) - (11'(n0) << 2);
  wire signed [10:0] n15 = 11'h7c0 + (11'(n0) << 2);
  wire signed [10:0] n16 = n15 - 11'(n9);

  // relu1 (Relu)
  wire [9:0] n17 = (n11[10]) ? 10'h0 : n11[9:0];
  wire [9:0] n18 = (n13[10]) ? 10'h0 : n13[9:0];
  wire [9:0] n19 = (n16[10]) ? 10'h0 : n16[9:0];
  wire [6:0] n20;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n20 (.x(n17), .y(n20));
  wire [6:0] n21;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n21 (.x(n18), .y(n21));
  wire [6:0] n22;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n22 (.x(n19), .y(n22));
  logic [6:0] n22_1;

  // fc2 (Gemm)
  wire signed [8:0] n27 = 9'(n20) - (9'(n22) << 1);
  logic signed [8:0] n27_1;
  wire signed [8:0] n29 = 9'h1e0 + (9'(n21) << 1);
  logic signed [8:0] n29_1;
  wire signed [9:0] n30 = (10'(n22_1) << 1) + 10'(n29_1);
  wire signed [10:0] n31 = (11'(n27_1) << 2) + 11'(n30);
  wire signed [7:0] n33 = 8'h40 - 8'(n22);
  logic signed [7:0] n33_1;
  wire [7:0] n34 = 8'(n20) + 8'(n21);
  logic [7:0] n34_1;
  wire signed [9:0] n35 = 10'(n33_1) + 10'(n34_1);
  wire signed [11:0] n36 = 12'(n35) - (12'(n27_1) << 2);
  wire signed [7:0] n37;
  n2f_requantize #(.IN_W(11), .IN_SIGNED(1'b1), .OUT_W(8), .OUT_SIGNED(1'b1), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n37 (.x(n31), .y(n37));
  logic signed [7:0] n37_1;
  wire signed [7:0] n38;
  n2f_requantize #(.IN_W(12), .IN_SIGNED(1'b1), .OUT_W(8), .OUT_SIGNED(1'b1), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n38 (.x(n36), .y(n38));
  logic signed [7:0] n38_1;

  always_ff @(posedge clk) begin
    if (en) begin
      n0 <= x[7:0];
      n1 <= x[15:8];
      n22_1 <= n22;
      n27_1 <= n27;
      n29_1 <= n29;
      n33_1 <= n33;
      n34_1 <= n34;
      n37_1 <= n37;
      n38_1 <= n38;
    end
  end

  assign y[7:0] = n37_1;
  assign y[15:8] = n38_1;

endmodule
/* verilator lint_on UNUSEDSIGNAL */

`default_nettype wire
