// n2f_split - one stream to two in turn: A_BEATS beats to output 0, then B_BEATS to output 1, over and over.
//
// Stream    ready/valid, 1 beat per cycle. Output 0 is bit 0 of m_valid and m_ready; m_data is shared. No register on the
//           way: only the output whose turn it is is valid, and s_ready is its ready.
// Latency   0 cycles.
// Reset     rst is synchronous and active high; it clears the count.
// Twin      src/hwlib/split.ts
`default_nettype none

module n2f_split #(
    parameter int WIDTH   = 8,  // bits of a beat, at least 1
    parameter int A_BEATS = 1,  // at least 1
    parameter int B_BEATS = 1   // at least 1
) (
    input  wire logic             clk,
    input  wire logic             rst,

    input  wire logic             s_valid,
    output      logic             s_ready,
    input  wire logic [WIDTH-1:0] s_data,

    output      logic [1:0]       m_valid,
    input  wire logic [1:0]       m_ready,
    output      logic [WIDTH-1:0] m_data
);

`ifndef SYNTHESIS
  initial begin
    if (WIDTH < 1) $fatal(1, "n2f_split: WIDTH=%0d, must be at least 1", WIDTH);
    if (A_BEATS < 1) $fatal(1, "n2f_split: A_BEATS=%0d, must be at least 1", A_BEATS);
    if (B_BEATS < 1) $fatal(1, "n2f_split: B_BEATS=%0d, must be at least 1", B_BEATS);
  end
`endif

  localparam int COUNT_W = $clog2(A_BEATS + B_BEATS);

  logic [COUNT_W-1:0] count_q;
  logic turn_q;  // the output whose turn it is

  assign m_data  = s_data;
  assign m_valid = {s_valid && turn_q, s_valid && !turn_q};
  assign s_ready = turn_q ? m_ready[1] : m_ready[0];

  always_ff @(posedge clk) begin
    if (s_valid && s_ready) begin
      if (count_q == COUNT_W'(A_BEATS + B_BEATS - 1)) begin
        count_q <= '0;
        turn_q  <= 1'b0;
      end else begin
        count_q <= count_q + 1'b1;
        if (count_q == COUNT_W'(A_BEATS - 1)) turn_q <= 1'b1;
      end
    end
    if (rst) begin
      count_q <= '0;
      turn_q  <= 1'b0;
    end
  end

endmodule

`default_nettype wire
