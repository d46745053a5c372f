// n2f_pipe_valid - the valid bits of a pipeline of STAGES registers that all share one clock enable.
//
// Stream    ready/valid, 1 beat per cycle. The data registers beside it load when `en` is high; the last of them
//           belongs to m_valid. While the last stage waits for m_ready the whole pipeline stands still, bubbles
//           included; s_ready depends on m_ready in the cycle.
// Latency   STAGES cycles, from an accepted input to the matching output.
// Reset     rst is synchronous and active high; it clears valid.
// Twin      src/hwlib/pipe-valid.ts
`default_nettype none

module n2f_pipe_valid #(
    parameter int STAGES = 1  // registers in a row, at least 1
) (
    input  wire logic clk,
    input  wire logic rst,

    input  wire logic s_valid,
    output      logic s_ready,

    output      logic m_valid,
    input  wire logic m_ready,

    output      logic en
);

`ifndef SYNTHESIS
  initial begin
    if (STAGES < 1) $fatal(1, "n2f_pipe_valid: STAGES=%0d, must be at least 1", STAGES);
  end
`endif

  logic [STAGES-1:0] valid_q;

  assign m_valid = valid_q[STAGES-1];
  assign en      = !m_valid || m_ready;
  assign s_ready = en;

  always_ff @(posedge clk) begin
    if (en) valid_q <= STAGES'({valid_q, s_valid});
    if (rst) valid_q <= '0;
  end

endmodule

`default_nettype wire
