// n2f_constants - the words of a constant memory one after the other, and from the first again.
//
// Numbers   WORDS words of DATA_W bits from the file INIT ($readmemh: one hexadecimal word per line); "" stands for zeros.
// Stream    data is the word at hand, from a register; `next` brings the following one in the next cycle.
// Latency   1 cycle, from next to data.
// Reset     rst is synchronous and active high; after one cycle of it the first word is at hand.
// Twin      src/hwlib/constants.ts
`default_nettype none

module n2f_constants #(
    parameter int WORDS  = 4,  // at least 1
    parameter int DATA_W = 8,  // bits of a word, at least 1
    parameter     INIT   = ""  // file name; untyped because Yosys has no string type
) (
    input  wire logic              clk,
    input  wire logic              rst,

    input  wire logic              next,
    output      logic [DATA_W-1:0] data
);

`ifndef SYNTHESIS
  initial begin
    if (WORDS < 1) $fatal(1, "n2f_constants: WORDS=%0d, must be at least 1", WORDS);
    if (DATA_W < 1) $fatal(1, "n2f_constants: DATA_W=%0d, must be at least 1", DATA_W);
  end
`endif

  localparam int ADDR_W = WORDS > 1 ? $clog2(WORDS) : 1;

  logic [DATA_W-1:0] words[0:WORDS-1];
  logic [ADDR_W-1:0] at_q;  // of the word that follows

  if (INIT != "") begin : gen_file
    initial $readmemh(INIT, words);
  end else begin : gen_zeros
    initial for (int i = 0; i < WORDS; i++) words[i] = '0;
  end

  always_ff @(posedge clk) begin
    if (next || rst) begin
      at_q <= at_q == ADDR_W'(WORDS - 1) ? '0 : at_q + 1'b1;
      data <= words[rst?'0 : at_q];
    end
    if (rst) at_q <= WORDS > 1 ? ADDR_W'(1) : '0;
  end

endmodule

`default_nettype wire
