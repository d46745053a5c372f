// n2f_fifo - first in, first out; the edge between two stream modules.
//
// Numbers   DEPTH beats of WIDTH bits.
// Stream    ready/valid, 1 beat per cycle. s_ready (fewer than DEPTH beats held) and m_valid (at least one held) come
//           from registers only, so no combinational path leads from one side to the other. A full FIFO takes nothing,
//           even in a cycle in which it gives.
// Latency   1 cycle, for both styles.
// Memory    STYLE 0: LUT RAM, read in the cycle. STYLE 1: block RAM, read one ahead, with a bypass register for a beat
//           that is needed in the cycle after it was written.
// Reset     rst is synchronous and active high; it empties the FIFO; data stay.
// Twin      src/hwlib/fifo.ts
`default_nettype none

module n2f_fifo #(
    parameter int WIDTH = 8,  // bits of a beat, at least 1
    parameter int DEPTH = 2,  // beats held, at least 2
    parameter int STYLE = 0   // 0: LUT RAM, 1: block RAM
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
    if (WIDTH < 1) $fatal(1, "n2f_fifo: WIDTH=%0d, must be at least 1", WIDTH);
    if (DEPTH < 2) $fatal(1, "n2f_fifo: DEPTH=%0d, must be at least 2", DEPTH);
    if (STYLE < 0 || STYLE > 1) $fatal(1, "n2f_fifo: STYLE=%0d, must be 0 or 1", STYLE);
  end
`endif

  localparam int ADDR_W = $clog2(DEPTH);
  localparam int COUNT_W = $clog2(DEPTH + 1);

  logic push, pop;
  logic valid_q, ready_q;
  logic [COUNT_W-1:0] count_q;
  logic [ADDR_W-1:0] write_q, read_q, read_next;

  assign s_ready   = ready_q;
  assign m_valid   = valid_q;
  assign push      = s_valid && ready_q;
  assign pop       = valid_q && m_ready;
  assign read_next = !pop ? read_q : read_q == ADDR_W'(DEPTH - 1) ? '0 : read_q + 1'b1;

  always_ff @(posedge clk) begin
    if (push && !pop) begin
      count_q <= count_q + 1'b1;
      valid_q <= 1'b1;
      ready_q <= count_q != COUNT_W'(DEPTH - 1);
    end else if (pop && !push) begin
      count_q <= count_q - 1'b1;
      valid_q <= count_q != COUNT_W'(1);
      ready_q <= 1'b1;
    end
    if (push) write_q <= write_q == ADDR_W'(DEPTH - 1) ? '0 : write_q + 1'b1;
    read_q <= read_next;
    if (rst) begin
      count_q <= '0;
      valid_q <= 1'b0;
      ready_q <= 1'b1;
      write_q <= '0;
      read_q  <= '0;
    end
  end

  if (STYLE == 0) begin : gen_lut
    (* ram_style = "distributed" *) logic [WIDTH-1:0] words[0:DEPTH-1];

    always_ff @(posedge clk) begin
      if (push) words[write_q] <= s_data;
    end

    assign m_data = words[read_q];
  end else begin : gen_block
    (* ram_style = "block" *) logic [WIDTH-1:0] words[0:DEPTH-1];

    logic bypass_q;
    logic [WIDTH-1:0] word_q, new_q;

    always_ff @(posedge clk) begin
      if (push) words[write_q] <= s_data;
    end

    always_ff @(posedge clk) begin
      word_q   <= words[read_next];
      bypass_q <= push && write_q == read_next;
      if (push) new_q <= s_data;
    end

    assign m_data = bypass_q ? new_q : word_q;
  end

endmodule

`default_nettype wire
