// n2f_mvu_weights - the weights of one place in the chains of a folded unit, a word a cycle later than its address.
//
// Numbers   data = word addr of INIT, of the address a cycle of `en` ago; addr < DEPTH.
// Stream    none; everything holds while `en` is low.
// Memory    MEMORY 0: LUTs in front of a register; 1: block RAM.
// Reset     none.
// Files     INIT: DEPTH hexadecimal words for $readmemh; "" stands for all zeros.
// Twin      src/hwlib/mvu-weights.ts
`default_nettype none

module n2f_mvu_weights #(
    parameter int DEPTH  = 16,  // words, at least 1
    parameter int DATA_W = 8,   // bits of a word, at least 1
    parameter int ADDR_W = 4,   // bits of the address: $clog2(DEPTH), and 1 where DEPTH is 1
    parameter int MEMORY = 0,   // 0: LUTs, 1: block RAM
    parameter     INIT   = ""   // file name; untyped because Yosys has no string type
) (
    input  wire logic              clk,
    input  wire logic              en,
    input  wire logic [ADDR_W-1:0] addr,
    output      logic [DATA_W-1:0] data
);

`ifndef SYNTHESIS
  initial if (MEMORY < 0 || MEMORY > 1) $fatal(1, "n2f_mvu_weights: MEMORY=%0d, must be 0 or 1", MEMORY);
`endif

  if (MEMORY == 0) begin : gen_lut
    logic [DATA_W-1:0] word;

    n2f_lut #(
        .DEPTH (DEPTH),
        .DATA_W(DATA_W),
        .ADDR_W(ADDR_W),
        .INIT  (INIT)
    ) memory (
        .addr,
        .data(word)
    );

    // The word waits, not the address: what comes next is a DSP slice, and Yosys makes three times of the LUTs where it
    // has to find a register of its own.
    always_ff @(posedge clk) begin
      if (en) data <= word;
    end
  end else begin : gen_block
    n2f_rom_block #(
        .DEPTH (DEPTH),
        .DATA_W(DATA_W),
        .ADDR_W(ADDR_W),
        .INIT  (INIT)
    ) memory (
        .clk,
        .en,
        .addr,
        .data
    );
  end

endmodule

`default_nettype wire
