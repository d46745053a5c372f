// n2f_reorder - any order of beats, through a double buffer.
//
// Numbers   of every IN_BEATS beats taken OUT_BEATS are given, the i-th being the one that word i of the file ORDER names
//           (counted from 0); beats may be left out or repeated.
// Stream    ready/valid, 1 beat per cycle on each side, one group given while the next is taken. A half of the buffer is
//           full from the cycle after its last beat, and empty again from the cycle after its last read. s_ready comes
//           from registers.
// Latency   IN_BEATS + 1 cycles, from a group's first beat to the first given.
// Memory    2*IN_BEATS words (halves at powers of two). STYLE 0: LUT RAM, 1: block RAM.
// Reset     rst is synchronous and active high; it empties the buffer.
// Files     ORDER: OUT_BEATS hexadecimal words, for $readmemh; "" stands for all zeros.
// Twin      src/hwlib/reorder.ts (also makes the file)
`default_nettype none

module n2f_reorder #(
    parameter int WIDTH     = 8,  // bits of a beat, at least 1
    parameter int IN_BEATS  = 4,  // beats of a group taken, at least 1
    parameter int OUT_BEATS = 4,  // beats of a group given, at least 1
    parameter int STYLE     = 0,  // 0: LUT RAM, 1: block RAM
    parameter     ORDER     = ""  // file name; untyped because Yosys has no string type
) (
    input  wire logic             clk,
    input  wire logic             rst,

    input  wire logic             s_valid,
    output      logic             s_ready,
    input  wire logic [WIDTH-1:0] s_data,

    output      logic             m_valid,
    input  wire logic             m_ready,
    output      logic [WIDTH-1:0] m_data
);

`ifndef SYNTHESIS
  initial begin
    if (WIDTH < 1) $fatal(1, "n2f_reorder: WIDTH=%0d, must be at least 1", WIDTH);
    if (IN_BEATS < 1) $fatal(1, "n2f_reorder: IN_BEATS=%0d, must be at least 1", IN_BEATS);
    if (OUT_BEATS < 1) $fatal(1, "n2f_reorder: OUT_BEATS=%0d, must be at least 1", OUT_BEATS);
    if (STYLE < 0 || STYLE > 1) $fatal(1, "n2f_reorder: STYLE=%0d, must be 0 or 1", STYLE);
  end
`endif

  localparam int ADDR_W = IN_BEATS > 1 ? $clog2(IN_BEATS) : 1;
  localparam int OUT_W = OUT_BEATS > 1 ? $clog2(OUT_BEATS) : 1;

  logic push, en, read, valid_q;
  logic full_0_q, full_1_q;             // halves that are full
  logic write_half_q, read_half_q;
  logic [ADDR_W-1:0] write_q;
  logic last_write, last_read;

  assign s_ready    = write_half_q ? !full_1_q : !full_0_q;
  assign push       = s_valid && s_ready;
  assign last_write = IN_BEATS == 1 || write_q == ADDR_W'(IN_BEATS - 1);
  assign m_valid    = valid_q;
  assign en         = !valid_q || m_ready;
  assign read       = en && (read_half_q ? full_1_q : full_0_q);

  always_ff @(posedge clk) begin
    if (push) begin
      write_q <= last_write ? '0 : write_q + 1'b1;
      if (last_write) write_half_q <= !write_half_q;
    end
    if (read && last_read) read_half_q <= !read_half_q;
    if (en) valid_q <= read;
    if (push && last_write && !write_half_q) full_0_q <= 1'b1;
    else if (read && last_read && !read_half_q) full_0_q <= 1'b0;
    if (push && last_write && write_half_q) full_1_q <= 1'b1;
    else if (read && last_read && read_half_q) full_1_q <= 1'b0;
    if (rst) begin
      write_q      <= '0;
      write_half_q <= 1'b0;
      read_half_q  <= 1'b0;
      valid_q      <= 1'b0;
      full_0_q     <= 1'b0;
      full_1_q     <= 1'b0;
    end
  end

  // The order is read one step ahead, so that `from` belongs to the read of this cycle; during reset it is word 0.
  logic [OUT_W-1:0] next_q, next_d;
  logic last_next;
  logic [ADDR_W-1:0] from;
  logic last_q;

  assign last_next = OUT_BEATS == 1 || next_q == OUT_W'(OUT_BEATS - 1);
  assign next_d    = last_next ? '0 : next_q + 1'b1;
  assign last_read = last_q;

  always_ff @(posedge clk) begin
    if (read || rst) begin
      next_q <= next_d;
      last_q <= last_next;
    end
    if (rst) begin
      next_q <= OUT_BEATS == 1 ? '0 : OUT_W'(1);
      last_q <= OUT_BEATS == 1;
    end
  end

  n2f_rom #(
      .DEPTH (OUT_BEATS),
      .DATA_W(ADDR_W),
      .ADDR_W(OUT_W),
      .INIT  (ORDER)
  ) order (
      .clk,
      .en  (read || rst),
      .addr(rst ? '0 : next_q),
      .data(from)
  );

  if (STYLE == 0) begin : gen_lut
    (* ram_style = "distributed" *) logic [WIDTH-1:0] words[0:(2<<ADDR_W)-1];
    logic [WIDTH-1:0] out_q;

    always_ff @(posedge clk) begin
      if (push) words[{write_half_q, write_q}] <= s_data;
    end

    always_ff @(posedge clk) begin
      if (read) out_q <= words[{read_half_q, from}];
    end

    assign m_data = out_q;
  end else begin : gen_block
    (* ram_style = "block" *) logic [WIDTH-1:0] words[0:(2<<ADDR_W)-1];
    logic [WIDTH-1:0] out_q;

    always_ff @(posedge clk) begin
      if (push) words[{write_half_q, write_q}] <= s_data;
    end

    always_ff @(posedge clk) begin
      if (read) out_q <= words[{read_half_q, from}];
    end

    assign m_data = out_q;
  end

endmodule

`default_nettype wire
