// tiny_top_s2 - unrolled logic of net, 1 registers deep.
//
// Made by nn2fpga VERSION; changes here are lost.
// Numbers   x and y are vectors of integer codes side by side; every wire has just the width that its
//           proven interval needs. n12_3 is n12, three cycles later.
// Twin      network/network.n2fg of this bundle
`default_nettype none

// Containers of the packet are wider than their codes, and a wire's top bits may only carry its sign: bits that
// nobody reads are no mistake here.
/* verilator lint_off UNUSEDSIGNAL */
module tiny_top_s2 (
    input  wire logic          clk,
    input  wire logic          en,  // 0: everything stands still
    input  wire logic [32:0] x,
    output      logic [23:0] y
);

  // fc1 (Gemm)
  wire signed [9:0] n0 = x[9:0];
  wire signed [10:0] n1 = x[21:11];
  wire signed [10:0] n2 = x[32:22];
  wire signed [10:0] n3 = (11'(n0) << 1);

  // relu1 (Relu)
  wire [9:0] n4 = (n3[10]) ? 10'h0 : n3[9:0];
  wire [9:0] n5 = (n1[10]) ? 10'h0 : n1[9:0];
  wire [9:0] n6 = (n2[10]) ? 10'h0 : n2[9:0];
  wire [6:0] n7;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n7 (.x(n4), .y(n7));
  logic [6:0] n7_1;
  wire [6:0] n8;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n8 (.x(n5), .y(n8));
  logic [6:0] n8_1;
  wire [6:0] n9;
  n2f_requantize #(.IN_W(10), .IN_SIGNED(1'b0), .OUT_W(7), .OUT_SIGNED(1'b0), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n9 (.x(n6), .y(n9));
  logic [6:0] n9_1;

  always_ff @(posedge clk) begin
    if (en) begin
      n7_1 <= n7;
      n8_1 <= n8;
      n9_1 <= n9;
    end
  end

  assign y[7:0] = 8'(n7_1);
  assign y[15:8] = 8'(n8_1);
  assign y[23:16] = 8'(n9_1);

endmodule
/* verilator lint_on UNUSEDSIGNAL */

`default_nettype wire
