// n2f_reduce_tree - the maximum, sum or minimum of LENGTH terms, a register after every two levels and at the end.
//
// Numbers   in: X_W bits, signed or not, x[i] at bit i*X_W; out: Y_W bits, at least X_W, extended as x is signed; sums modulo
//           2^Y_W.
// Stream    none; a new result every cycle of `en`, and everything holds while `en` is low.
// Latency   max(1, ceil($clog2(LENGTH) / 2)) cycles of `en`.
// Reset     none.
// Twin      src/hwlib/reduce-tree.ts
`default_nettype none

module n2f_reduce_tree #(
    parameter int LENGTH   = 4,  // number of terms, at least 1
    parameter int OP       = 0,  // 0: maximum, 1: sum, 2: minimum
    parameter int X_W      = 8,  // bits of a term, at least 1
    parameter bit X_SIGNED = 1,  // 1: terms are two's complement
    parameter int Y_W      = 8   // bits of the result, at least X_W
) (
    input  wire logic                  clk,
    input  wire logic                  en,
    input  wire logic [LENGTH*X_W-1:0] x,
    output      logic [Y_W-1:0]        y
);

`ifndef SYNTHESIS
  initial begin
    if (LENGTH < 1) $fatal(1, "n2f_reduce_tree: LENGTH=%0d, must be at least 1", LENGTH);
    if (OP < 0 || OP > 2) $fatal(1, "n2f_reduce_tree: OP=%0d, must be in 0..2", OP);
    if (X_W < 1) $fatal(1, "n2f_reduce_tree: X_W=%0d, must be at least 1", X_W);
    if (Y_W < X_W) $fatal(1, "n2f_reduce_tree: Y_W=%0d, must be at least X_W=%0d", Y_W, X_W);
  end
`endif

  localparam int LEVELS = $clog2(LENGTH);
  localparam int STAGES = LEVELS < 2 ? 1 : (LEVELS + 1) / 2;

  function automatic int terms_after(input int stages);
    terms_after = LENGTH;
    for (int s = 0; s < stages; s++) terms_after = (terms_after + 3) / 4;
  endfunction

  // Extremes stay as wide as a term; sums get two bits more a stage, and never more than is asked for.
  function automatic int width_after(input int stages);
    if (OP != 1) width_after = X_W;
    else width_after = X_W + 2 * stages < Y_W ? X_W + 2 * stages : Y_W;
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

      logic [TERMS*TERM_W-1:0] best_q;

      for (genvar g = 0; g < TERMS; g++) begin : group
        localparam int COUNT = FROM - 4 * g < 4 ? FROM - 4 * g : 4;

        logic [4*TERM_W-1:0] four;
        logic [TERM_W-1:0] low, high, best;

        for (genvar t = 0; t < 4; t++) begin : term
          if (t >= COUNT && OP == 1) begin : gen_nothing
            assign four[t*TERM_W+:TERM_W] = '0;
          end else begin : gen_term
            // Where there are fewer than four, the first once more, which changes no extreme.
            localparam int AT = (4 * g + (t < COUNT ? t : 0)) * FROM_W;
            if (X_SIGNED) begin : gen_signed
              assign four[t*TERM_W+:TERM_W] = TERM_W'($signed(stage[s-1].terms[AT+:FROM_W]));
            end else begin : gen_unsigned
              assign four[t*TERM_W+:TERM_W] = TERM_W'(stage[s-1].terms[AT+:FROM_W]);
            end
          end
        end

        if (OP == 1) begin : gen_sum
          assign low  = four[0*TERM_W+:TERM_W] + four[1*TERM_W+:TERM_W];
          assign high = four[2*TERM_W+:TERM_W] + four[3*TERM_W+:TERM_W];
          assign best = low + high;
        end else begin : gen_extreme
          logic low_second, high_second, high_better;

          if (X_SIGNED) begin : gen_signed
            assign low_second  = $signed(four[1*TERM_W+:TERM_W]) > $signed(four[0*TERM_W+:TERM_W]);
            assign high_second = $signed(four[3*TERM_W+:TERM_W]) > $signed(four[2*TERM_W+:TERM_W]);
            assign high_better = $signed(high) > $signed(low);
          end else begin : gen_unsigned
            assign low_second  = four[1*TERM_W+:TERM_W] > four[0*TERM_W+:TERM_W];
            assign high_second = four[3*TERM_W+:TERM_W] > four[2*TERM_W+:TERM_W];
            assign high_better = high > low;
          end
          assign low  = low_second == (OP == 0) ? four[1*TERM_W+:TERM_W] : four[0*TERM_W+:TERM_W];
          assign high = high_second == (OP == 0) ? four[3*TERM_W+:TERM_W] : four[2*TERM_W+:TERM_W];
          assign best = high_better == (OP == 0) ? high : low;
        end

        always_ff @(posedge clk) begin
          if (en) best_q[g*TERM_W+:TERM_W] <= best;
        end
      end

      assign terms = best_q;
    end
  end

  if (X_SIGNED) begin : gen_signed
    assign y = Y_W'($signed(stage[STAGES].terms));
  end else begin : gen_unsigned
    assign y = Y_W'(stage[STAGES].terms);
  end

endmodule

`default_nettype wire
