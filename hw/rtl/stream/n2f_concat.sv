// n2f_concat - two streams in turn: A_BEATS beats of input 0, then B_BEATS of input 1, over and over.
//
// Stream    ready/valid, 1 beat per cycle. Input 0 is bit 0 of s_valid and s_ready and the lower half of s_data. No register
//           on the way: the output is the input whose turn it is.
// Latency   0 cycles.
// Reset     rst is synchronous and active high; it clears the count.
// Twin      src/hwlib/concat.ts
`default_nettype none

module n2f_concat #(
    parameter int WIDTH   = 8,  // bits of a beat, at least 1
    parameter int A_BEATS = 1,  // at least 1
    parameter int B_BEATS = 1   // at least 1
) (
    input  wire logic               clk,
    input  wire logic               rst,

    input  wire logic [1:0]         s_valid,
    output      logic [1:0]         s_ready,
    input  wire logic [2*WIDTH-1:0] s_data,

    output      logic               m_valid,
    input  wire logic               m_ready,
    output      logic [WIDTH-1:0]   m_data
);

`ifndef SYNTHESIS
  initial begin
    if (WIDTH < 1) $fatal(1, "n2f_concat: WIDTH=%0d, must be at least 1", WIDTH);
    if (A_BEATS < 1) $fatal(1, "n2f_concat: A_BEATS=%0d, must be at least 1", A_BEATS);
    if (B_BEATS < 1) $fatal(1, "n2f_concat: B_BEATS=%0d, must be at least 1", B_BEATS);
  end
`endif

  localparam int COUNT_W = $clog2(A_BEATS + B_BEATS);

  logic [COUNT_W-1:0] count_q;
  logic turn_q;  // the input whose turn it is

  assign m_data  = turn_q ? s_data[WIDTH+:WIDTH] : s_data[0+:WIDTH];
  assign m_valid = turn_q ? s_valid[1] : s_valid[0];
  assign s_ready = {turn_q && m_ready, !turn_q && m_ready};

  always_ff @(posedge clk) begin
    if (m_valid && m_ready) begin
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
