// n2f_join - N streams to one: a beat of each at once, side by side.
//
// Stream    ready/valid. m_valid when every input is valid; all are taken when m_ready is high as well, so s_ready depends
//           on s_valid and m_ready in the cycle. Wires and gates only.
// Latency   0 cycles, combinational.
// Twin      src/hwlib/join.ts
`default_nettype none

module n2f_join #(
    parameter int WIDTH = 16,  // bits of a beat of all inputs together, at least 1
    parameter int N     = 2    // inputs, 1 .. 15
) (
    input  wire logic [N-1:0]     s_valid,
    output      logic [N-1:0]     s_ready,
    input  wire logic [WIDTH-1:0] s_data,

    output      logic             m_valid,
    input  wire logic             m_ready,
    output      logic [WIDTH-1:0] m_data
);

`ifndef SYNTHESIS
  initial begin
    if (WIDTH < 1) $fatal(1, "n2f_join: WIDTH=%0d, must be at least 1", WIDTH);
    if (N < 1 || N > 15) $fatal(1, "n2f_join: N=%0d, must be in 1..15", N);
  end
`endif

  assign m_data  = s_data;
  assign m_valid = &s_valid;
  assign s_ready = {N{m_valid && m_ready}};

endmodule

`default_nettype wire
