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
  wire signed [9:0] n2 = 10'(n0) + (10'(n1) << 1);
  wire signed [10:0] n4 = 11'h20 + (11'(n2) << 1);
  wire signed [8:0] n5 = 9'(n1) - 9'(n0);
  wire signed [10:0] n6 = 11'(n5) - (11'(n0) << 2);
  wire signed [10:0] n8 = 11'h7c0 + (11'(n0) << 2);
  wire signed [10:0] n9 = n8 - 11'(n2);

  // relu1 (Relu)
  wire [9:0] n10 = (n4[10]) ? 10'h0 : n4[9:0];
  wire [9:0] n11 = (n6[10]) ? 10'h0 : n6[9:0];
  wire [9:0] n12 = (n9[10]) ? 10'h0 : n9[9:0];
  wire [6:0] n13;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n13 (.x(n10), .y(n13));
  wire [6:0] n14;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n14 (.x(n11), .y(n14));
  wire [6:0] n15;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n15 (.x(n12), .y(n15));
  logic [6:0] n15_1;

  // fc2 (Gemm)
  wire signed [8:0] n16 = 9'(n13) - (9'(n15) << 1);
  logic signed [8:0] n16_1;
  wire signed [8:0] n18 = 9'h1e0 + (9'(n14) << 1);
  logic signed [8:0] n18_1;
  wire signed [9:0] n19 = (10'(n15_1) << 1) + 10'(n18_1);
  wire signed [10:0] n20 = (11'(n16_1) << 2) + 11'(n19);
  wire signed [7:0] n22 = 8'h40 - 8'(n15);
  logic signed [7:0] n22_1;
  wire [7:0] n23 = 8'(n13) + 8'(n14);
  logic [7:0] n23_1;
  wire signed [9:0] n24 = 10'(n22_1) + 10'(n23_1);
  wire signed [11:0] n25 = 12'(n24) - (12'(n16_1) << 2);
  wire signed [7:0] n26;
  n2f_requantize #(.IN_W(11), .IN_SIGNED(1'b1), .OUT_W(8), .OUT_SIGNED(1'b1), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n26 (.x(n20), .y(n26));
  logic signed [7:0] n26_1;
  wire signed [7:0] n27;
  n2f_requantize #(.IN_W(12), .IN_SIGNED(1'b1), .OUT_W(8), .OUT_SIGNED(1'b1), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n27 (.x(n25), .y(n27));
  logic signed [7:0] n27_1;

  always_ff @(posedge clk) begin
    if (en) begin
      n0 <= x[7:0];
      n1 <= x[15:8];
      n15_1 <= n15;
      n16_1 <= n16;
      n18_1 <= n18;
      n22_1 <= n22;
      n23_1 <= n23;
      n26_1 <= n26;
      n27_1 <= n27;
    end
  end

  assign y[7:0] = n26_1;
  assign y[15:8] = n27_1;

endmodule
/* verilator lint_on UNUSEDSIGNAL */

`default_nettype wire
