// tiny_top_s0 - unrolled logic of net, 1 registers deep.
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

  always_ff @(posedge clk) begin
    if (en) begin
      n0 <= x[7:0];
      n1 <= x[15:8];
    end
  end

  assign y[7:0] = n0;
  assign y[15:8] = n1;

endmodule
/* verilator lint_on UNUSEDSIGNAL */

`default_nettype wire
