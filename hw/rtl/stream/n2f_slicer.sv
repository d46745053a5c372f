// n2f_slicer - the front of a folded module: takes vectors side by side, and shows P elements of each a step.
//
// Numbers   VECTORS vectors of V elements of X_W bits, element i of vector r at bit (r*V + i)*X_W of s_data. `slice` has, in
//           step s, element s*P + p of vector r at (r*P + p)*X_W; zeros beyond V.
// Stream    ready/valid in; the pipeline behind moves when `en` is high. A beat is taken in the last step of the one before,
//           or when idle; its first step is in the next cycle of `en`. ceil(V/P) steps a beat, without a bubble.
//           `step` says that slice counts; s_ready depends on `en` in the cycle.
// Reset     rst is synchronous and active high; it drops the beat; data stay.
// Twin      src/hwlib/slicer.ts
`default_nettype none

module n2f_slicer #(
    parameter int VECTORS = 1,  // at least 1
    parameter int V       = 4,  // elements of a vector, at least 1
    parameter int P       = 2,  // elements of a slice, at least 1
    parameter int X_W     = 8   // bits of an element, at least 1
) (
    input  wire logic                       clk,
    input  wire logic                       rst,

    input  wire logic                       s_valid,
    output      logic                       s_ready,
    input  wire logic [VECTORS*V*X_W-1:0]   s_data,

    input  wire logic                       en,
    output      logic                       step,
    output      logic [VECTORS*P*X_W-1:0]   slice
);

`ifndef SYNTHESIS
  initial begin
    if (VECTORS < 1) $fatal(1, "n2f_slicer: VECTORS=%0d, must be at least 1", VECTORS);
    if (V < 1) $fatal(1, "n2f_slicer: V=%0d, must be at least 1", V);
    if (P < 1) $fatal(1, "n2f_slicer: P=%0d, must be at least 1", P);
    if (X_W < 1) $fatal(1, "n2f_slicer: X_W=%0d, must be at least 1", X_W);
  end
`endif

  localparam int STEPS = (V + P - 1) / P;
  localparam int COUNT_W = STEPS > 1 ? $clog2(STEPS) : 1;
  localparam int SLICE_W = P * X_W;

  // load_q: idle, or in a beat's last step; known a cycle ahead, because it chooses for all bits of the register.
  logic busy_q, load_q;
  logic [COUNT_W-1:0] count_q;

  assign step    = en && busy_q;
  assign s_ready = en && load_q;

  always_ff @(posedge clk) begin
    if (en) begin
      if (load_q) busy_q <= s_valid;
      load_q  <= STEPS == 1 || (load_q ? !s_valid : count_q == COUNT_W'(STEPS - 2));
      count_q <= load_q ? '0 : count_q + 1'b1;
    end
    if (rst) begin
      busy_q  <= 1'b0;
      load_q  <= 1'b1;
      count_q <= '0;
    end
  end

  for (genvar r = 0; r < VECTORS; r++) begin : vector
    logic [STEPS*SLICE_W-1:0] x_q, shifted;

    if (STEPS > 1) begin : gen_shift
      assign shifted = x_q >> SLICE_W;
    end else begin : gen_hold
      assign shifted = x_q;
    end

    always_ff @(posedge clk) begin
      if (en) x_q <= load_q ? (STEPS * SLICE_W)'(s_data[r*V*X_W+:V*X_W]) : shifted;
    end

    assign slice[r*SLICE_W+:SLICE_W] = x_q[SLICE_W-1:0];
  end

endmodule

`default_nettype wire
