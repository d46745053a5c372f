// n2f_mvu_weights - the weights of a folded unit, a word a cycle later than its address.
//
// Numbers   data = word addr of INIT, of the address a cycle of `en` ago; addr < DEPTH.
// Stream    none; everything holds while `en` is low.
// Memory    MEMORY 0: LUTs behind a register of the address; 1: block RAM.
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
    logic [ADDR_W-1:0] addr_q;

    always_ff @(posedge clk) begin
      if (en) addr_q <= addr;
    end

    n2f_lut #(
        .DEPTH (DEPTH),
        .DATA_W(DATA_W),
        .ADDR_W(ADDR_W),
        .INIT  (INIT)
    ) memory (
        .addr(addr_q),
        .data
    );
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
