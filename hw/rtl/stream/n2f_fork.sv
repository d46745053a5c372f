// n2f_fork - one stream to N: every output gets every beat once.
//
// Stream    ready/valid. Output i is valid while a beat is offered that it has not had yet; outputs take it in any order,
//           and the beat is taken in the cycle in which the last of them does. No register on the way: m_valid depends on
//           s_valid in the cycle, s_ready on m_ready.
// Latency   0 cycles.
// Reset     rst is synchronous and active high.
// Twin      src/hwlib/fork.ts
`default_nettype none

module n2f_fork #(
    parameter int WIDTH = 8,  // bits of a beat, at least 1
    parameter int N     = 2   // outputs, 1 .. 15
) (
    input  wire logic             clk,
    input  wire logic             rst,

    input  wire logic             s_valid,
    output      logic             s_ready,
    input  wire logic [WIDTH-1:0] s_data,

    output      logic [N-1:0]     m_valid,
    input  wire logic [N-1:0]     m_ready,
    output      logic [WIDTH-1:0] m_data   // for all outputs
);

`ifndef SYNTHESIS
  initial begin
    if (WIDTH < 1) $fatal(1, "n2f_fork: WIDTH=%0d, must be at least 1", WIDTH);
    if (N < 1 || N > 15) $fatal(1, "n2f_fork: N=%0d, must be in 1..15", N);
  end
`endif

  logic [N-1:0] done_q;  // outputs that have had the beat on offer

  assign m_data  = s_data;
  assign m_valid = s_valid ? ~done_q : '0;
  assign s_ready = &(done_q | m_ready);

  always_ff @(posedge clk) begin
    if (s_valid) done_q <= s_ready ? '0 : done_q | m_ready;
    if (rst) done_q <= '0;
  end

endmodule

`default_nettype wire
