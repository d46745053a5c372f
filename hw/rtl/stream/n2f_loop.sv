// n2f_loop - the state of a recurrent layer: an initial one, then what comes back, STEPS times BEATS beats in all.
//
// Numbers   a state is BEATS beats. INIT says where the first comes from: 0 zeros, 1 the words of the file STATE, 2 a second
//           stream. Of what comes back, the last of every STEPS states is dropped: nothing follows it.
// Stream    ready/valid, 1 beat per cycle, no register on the way. Input 0 is what comes back, input 1 (INIT = 2) the
//           initial state. A beat that is dropped is taken whatever m_ready says, even while the next initial state leaves.
// Latency   0 cycles.
// Reset     rst is synchronous and active high; it clears the counts.
// Files     STATE ($readmemh: one hexadecimal word per line) is looked up in the working folder; "" stands for zeros.
// Twin      src/hwlib/loop.ts
`default_nettype none

module n2f_loop #(
    parameter int WIDTH  = 8,  // bits of a beat, at least 1
    parameter int BEATS  = 4,  // beats of a state, at least 1
    parameter int STEPS  = 3,  // states, at least 2
    parameter int INIT   = 0,  // 0..2, see above
    parameter int INPUTS = 1,  // 2 where INIT is 2, else 1
    parameter     STATE  = ""  // file name; untyped because Yosys has no string type
) (
    input  wire logic                    clk,
    input  wire logic                    rst,

    input  wire logic [INPUTS-1:0]       s_valid,
    output      logic [INPUTS-1:0]       s_ready,
    input  wire logic [INPUTS*WIDTH-1:0] s_data,   // what comes back is the lower part

    output      logic                    m_valid,
    input  wire logic                    m_ready,
    output      logic [WIDTH-1:0]        m_data
);

`ifndef SYNTHESIS
  initial begin
    if (WIDTH < 1) $fatal(1, "n2f_loop: WIDTH=%0d, must be at least 1", WIDTH);
    if (BEATS < 1) $fatal(1, "n2f_loop: BEATS=%0d, must be at least 1", BEATS);
    if (STEPS < 2) $fatal(1, "n2f_loop: STEPS=%0d, must be at least 2", STEPS);
    if (INIT < 0 || INIT > 2) $fatal(1, "n2f_loop: INIT=%0d, must be in 0..2", INIT);
    if (INPUTS != (INIT == 2 ? 2 : 1))
      $fatal(1, "n2f_loop: INPUTS=%0d, must be %0d for INIT=%0d", INPUTS, INIT == 2 ? 2 : 1, INIT);
  end
`endif

  localparam int TOTAL = STEPS * BEATS;
  localparam int COUNT_W = $clog2(TOTAL);
  localparam int ADDR_W = BEATS > 1 ? $clog2(BEATS) : 1;

  logic [COUNT_W-1:0] in_q, out_q;  // beats that came back and that left, of this sequence
  logic starting_q;                 // the initial state leaves
  logic dropping_q;                 // the last state comes back
  logic [WIDTH-1:0] first;
  logic has_first, back_ready, in_step, out_step;

  if (INIT == 2) begin : gen_stream
    assign first     = s_data[WIDTH+:WIDTH];
    assign has_first = s_valid[1];
    assign s_ready   = {starting_q && m_ready, back_ready};
  end else begin : gen_constant
    assign has_first = 1'b1;
    assign s_ready   = back_ready;
    if (INIT == 1) begin : gen_words
      n2f_lut #(
          .DEPTH (BEATS),
          .DATA_W(WIDTH),
          .ADDR_W(ADDR_W),
          .INIT  (STATE)
      ) u_words (
          .addr(ADDR_W'(out_q)),
          .data(first)
      );
    end else begin : gen_zeros
      assign first = '0;
    end
  end

  assign m_data     = starting_q ? first : s_data[WIDTH-1:0];
  assign m_valid    = starting_q ? has_first : s_valid[0] && !dropping_q;
  assign back_ready = dropping_q || (!starting_q && m_ready);
  assign in_step    = s_valid[0] && back_ready;
  assign out_step   = m_valid && m_ready;

  always_ff @(posedge clk) begin
    if (in_step) begin
      in_q <= in_q == COUNT_W'(TOTAL - 1) ? '0 : in_q + 1'b1;
      if (in_q == COUNT_W'(TOTAL - BEATS - 1)) dropping_q <= 1'b1;
      else if (in_q == COUNT_W'(TOTAL - 1)) dropping_q <= 1'b0;
    end
    if (out_step) begin
      out_q <= out_q == COUNT_W'(TOTAL - 1) ? '0 : out_q + 1'b1;
      if (out_q == COUNT_W'(TOTAL - 1)) starting_q <= 1'b1;
      else if (out_q == COUNT_W'(BEATS - 1)) starting_q <= 1'b0;
    end
    if (rst) begin
      in_q       <= '0;
      out_q      <= '0;
      starting_q <= 1'b1;
      dropping_q <= 1'b0;
    end
  end

endmodule

`default_nettype wire
