// tiny_top_s4 - unrolled logic of net, 1 registers deep.
//
// Made by nn2fpga VERSION; changes here are lost.
// Numbers   x and y are vectors of integer codes side by side; every wire has just the width that its
//           proven interval needs. n12_3 is n12, three cycles later.
// Twin      network/network.n2fg of this bundle
`default_nettype none

// Containers of the packet are wider than their codes, and a wire's top bits may only carry its sign: bits that
// nobody reads are no mistake here.
/* verilator lint_off UNUSEDSIGNAL */
module tiny_top_s4 (
    input  wire logic          clk,
    input  wire logic          en,  // 0: everything stands still
    input  wire logic [23:0] x,
    output      logic [15:0] y
);

  // fc2 (Gemm)
  wire signed [9:0] n0 = x[9:0];
  wire signed [11:0] n1 = x[23:12];
  wire signed [10:0] n2 = (11'(n0) << 1);
  wire signed [7:0] n3;
  n2f_requantize #(.IN_W(11), .IN_SIGNED(1'b1), .OUT_W(8), .OUT_SIGNED(1'b1), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n3 (.x(n2), .y(n3));
  logic signed [7:0] n3_1;
  wire signed [7:0] n4;
  n2f_requantize #(.IN_W(12), .IN_SIGNED(1'b1), .OUT_W(8), .OUT_SIGNED(1'b1), .SHIFT(2), .ROUNDING(1), .OVERFLOW(0)) u_n4 (.x(n1), .y(n4));
  logic signed [7:0] n4_1;

  always_ff @(posedge clk) begin
    if (en) begin
      n3_1 <= n3;
      n4_1 <= n4;
    end
  end

  assign y[7:0] = n3_1;
  assign y[15:8] = n4_1;

endmodule
/* verilator lint_on UNUSEDSIGNAL */

`default_nettype wire
