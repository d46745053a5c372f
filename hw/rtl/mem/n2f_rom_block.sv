// n2f_rom_block - read-only memory with a registered output, in block RAM whatever its size.
//
// Numbers   word `addr` of the file INIT ($readmemh: one hexadecimal word per line), DATA_W bits; addr < DEPTH.
// Stream    none; one read per cycle of `en`, and `data` stays while `en` is low.
// Latency   1 cycle, from addr to data.
// Reset     none.
// Files     INIT is looked up in the working folder of the simulator or synthesizer; "" stands for all zeros.
// Twin      src/hwlib/rom-block.ts
`default_nettype none

module n2f_rom_block #(
    parameter int DEPTH  = 16,  // words, at least 1
    parameter int DATA_W = 8,   // bits of a word, at least 1
    parameter int ADDR_W = 4,   // bits of the address: $clog2(DEPTH), and 1 where DEPTH is 1
    parameter     INIT   = ""   // file name; untyped because Yosys has no string type
) (
    input  wire logic              clk,
    input  wire logic              en,
    input  wire logic [ADDR_W-1:0] addr,
    output      logic [DATA_W-1:0] data
);

`ifndef SYNTHESIS
  initial begin
    if (DEPTH < 1) $fatal(1, "n2f_rom_block: DEPTH=%0d, must be at least 1", DEPTH);
    if (DATA_W < 1) $fatal(1, "n2f_rom_block: DATA_W=%0d, must be at least 1", DATA_W);
    if (ADDR_W != (DEPTH > 1 ? $clog2(DEPTH) : 1))
      $fatal(1, "n2f_rom_block: ADDR_W=%0d, must be %0d for DEPTH=%0d", ADDR_W, DEPTH > 1 ? $clog2(DEPTH) : 1, DEPTH);
  end
`endif

  (* rom_style = "block", ram_style = "block" *) logic [DATA_W-1:0] words[0:DEPTH-1];

  if (INIT != "") begin : gen_file
    initial $readmemh(INIT, words);
  end else begin : gen_zeros
    initial for (int i = 0; i < DEPTH; i++) words[i] = '0;
  end

  always_ff @(posedge clk) begin
    if (en) data <= words[addr];
  end

endmodule

`default_nettype wire
