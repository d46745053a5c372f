// n2f_adder_tree - y = x[0] + ... + x[LENGTH-1], with a register after every two levels of adders.
//
// Numbers   in: signed X_W bits, x[i] at bit i*X_W; out: Y_W bits, modulo 2^Y_W.
// Stream    none; a new sum every cycle of `en`, and everything holds while `en` is low.
// Latency   floor($clog2(LENGTH) / 2) cycles of `en`; 0 for one or two terms. An odd level at the end stays
//           combinational, for the adder that follows.
// Reset     none.
// Twin      src/hwlib/adder-tree.ts
`default_nettype none

module n2f_adder_tree #(
    parameter int LENGTH = 8,  // number of terms, at least 1
    parameter int X_W    = 8,  // width of a term in bits, at least 1
    parameter int Y_W    = 11  // width of the sum in bits, at least 1; X_W + $clog2(LENGTH) is always enough
) (
    input  wire logic                  clk,
    input  wire logic                  en,
    input  wire logic [LENGTH*X_W-1:0] x,
    output      logic [Y_W-1:0]        y
);

`ifndef SYNTHESIS
  initial begin
    if (LENGTH < 1) $fatal(1, "n2f_adder_tree: LENGTH=%0d, must be at least 1", LENGTH);
    if (X_W < 1) $fatal(1, "n2f_adder_tree: X_W=%0d, must be at least 1", X_W);
    if (Y_W < 1) $fatal(1, "n2f_adder_tree: Y_W=%0d, must be at least 1", Y_W);
  end
`endif

  localparam int STAGES = $clog2(LENGTH) / 2;

  // Terms left after some stages, each of which adds up groups of four.
  function automatic int terms_after(input int stages);
    terms_after = LENGTH;
    for (int s = 0; s < stages; s++) terms_after = (terms_after + 3) / 4;
  endfunction

  // Their width: two bits more a stage, and never more than is asked for.
  function automatic int width_after(input int stages);
    width_after = stages == 0 || X_W + 2 * stages < Y_W ? X_W + 2 * stages : Y_W;
  endfunction

  for (genvar s = 0; s <= STAGES; s++) begin : stage
    localparam int TERMS = terms_after(s);
    localparam int TERM_W = width_after(s);

    logic [TERMS*TERM_W-1:0] terms;

    if (s == 0) begin : gen_in
      assign terms = x;
    end else begin : gen_groups
      localparam int FROM = terms_after(s - 1);
      localparam int FROM_W = width_after(s - 1);

      logic [TERMS*TERM_W-1:0] sums_d, sums_q;

      for (genvar g = 0; g < TERMS; g++) begin : group
        localparam int COUNT = FROM - 4 * g < 4 ? FROM - 4 * g : 4;

        logic [4*TERM_W-1:0] four;

        for (genvar t = 0; t < 4; t++) begin : term
          if (t < COUNT) begin : gen_term
            assign four[t*TERM_W+:TERM_W] = TERM_W'($signed(stage[s-1].terms[(4*g+t)*FROM_W+:FROM_W]));
          end else begin : gen_none
            assign four[t*TERM_W+:TERM_W] = '0;
          end
        end

        assign sums_d[g*TERM_W+:TERM_W] =
            (four[0*TERM_W+:TERM_W] + four[1*TERM_W+:TERM_W]) + (four[2*TERM_W+:TERM_W] + four[3*TERM_W+:TERM_W]);
      end

      always_ff @(posedge clk) begin
        if (en) sums_q <= sums_d;
      end

      assign terms = sums_q;
    end
  end

  localparam int LEFT = terms_after(STAGES);
  localparam int LEFT_W = width_after(STAGES);

  if (LEFT == 1) begin : gen_one
    assign y = Y_W'($signed(stage[STAGES].terms));
  end else begin : gen_two
    assign y = Y_W'($signed(stage[STAGES].terms[0+:LEFT_W])) + Y_W'($signed(stage[STAGES].terms[LEFT_W+:LEFT_W]));
  end

  logic unused;
  assign unused = &{1'b0, clk, en, stage[STAGES].terms};

endmodule

`default_nettype wire
