// n2f_reduce_lanes - the maximum, sum, minimum, or place of the first maximum of a vector.
//
// Numbers   V elements in ceil(V/P) beats; lanes beyond V in the last one are ignored. x: X_W bits, signed or not; y: Y_W bits,
//           signed as x is, sums modulo 2^Y_W; OP 3: the place of the first of the greatest, 0 .. V-1.
// Stream    ready/valid, 1 beat per cycle. In: element p of a beat at bit p*X_W. Out: one beat a vector. s_ready depends on
//           m_ready in the cycle.
// Latency   1 + max(1, ceil($clog2(P) / 2)) cycles, from a vector's last beat to the result.
// Reset     rst is synchronous and active high; it clears valid and the counter, not data.
// Twin      src/hwlib/reduce-lanes.ts
`default_nettype none

module n2f_reduce_lanes #(
    parameter int V        = 4,  // elements, at least 1
    parameter int P        = 2,  // elements of a beat, 1 .. V
    parameter int OP       = 0,  // 0: maximum, 1: sum, 2: minimum, 3: place of the first maximum
    parameter int X_W      = 8,  // bits of x, at least 1
    parameter bit X_SIGNED = 1,  // 1: x is two's complement
    parameter int Y_W      = 8   // bits of y: at least X_W; OP 3: at least $clog2(V)
) (
    input  wire logic             clk,
    input  wire logic             rst,

    input  wire logic             s_valid,
    output      logic             s_ready,
    input  wire logic [P*X_W-1:0] s_data,

    output      logic             m_valid,
    input  wire logic             m_ready,
    output      logic [Y_W-1:0]   m_data
);

`ifndef SYNTHESIS
  initial begin
    if (P < 1 || P > V) $fatal(1, "n2f_reduce_lanes: P=%0d, must be in 1..V=%0d", P, V);
    if (OP < 0 || OP > 3) $fatal(1, "n2f_reduce_lanes: OP=%0d, must be in 0..3", OP);
    if (X_W < 1) $fatal(1, "n2f_reduce_lanes: X_W=%0d, must be at least 1", X_W);
    if (Y_W < (OP == 3 ? $clog2(V) : X_W)) $fatal(1, "n2f_reduce_lanes: Y_W=%0d, too few", Y_W);
  end
`endif

  localparam int BEATS = (V + P - 1) / P;
  localparam int LAST = V - (BEATS - 1) * P;  // elements of the last beat
  localparam int BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int LEVELS = $clog2(P);
  localparam int STAGES = LEVELS < 2 ? 1 : (LEVELS + 1) / 2;

  // For a place the elements become keys: the element above, the place below, inverted, so that the first is greatest.
  localparam int PLACE_W = V > 1 ? $clog2(V) : 1;
  localparam int KEY_W = OP == 3 ? X_W + PLACE_W : X_W;
  localparam int SUM_W = OP == 3 ? KEY_W : Y_W;
  localparam int KIND = OP == 3 ? 0 : OP;

  logic en, step, last_beat, unused;
  logic [BEAT_W-1:0] beat_q;
  logic [PLACE_W-1:0] place_q;  // of the beat's first element
  logic [P*KEY_W-1:0] keys;
  logic [KEY_W-1:0] first_key;
  logic [SUM_W-1:0] of_beat;

  assign step      = en && s_valid;
  assign s_ready   = en;
  assign last_beat = BEATS == 1 || beat_q == BEAT_W'(BEATS - 1);

  always_ff @(posedge clk) begin
    if (step) begin
      beat_q  <= last_beat ? '0 : beat_q + 1'b1;
      place_q <= last_beat ? '0 : place_q + PLACE_W'(P);
    end
    if (rst) begin
      beat_q  <= '0;
      place_q <= '0;
    end
  end

  for (genvar p = 0; p < P; p++) begin : lane
    logic [KEY_W-1:0] key;

    if (p == 0) begin : gen_first_key
      assign first_key = key;
    end
    if (OP == 3) begin : gen_place
      assign key = {s_data[p*X_W+:X_W], ~(place_q + PLACE_W'(p))};
    end else begin : gen_element
      assign key = s_data[p*X_W+:X_W];
    end
    if (p < LAST) begin : gen_always
      assign keys[p*KEY_W+:KEY_W] = key;
    end else if (OP == 1) begin : gen_nothing
      assign keys[p*KEY_W+:KEY_W] = last_beat ? '0 : key;
    end else begin : gen_first
      // The first element once more, which changes no extreme.
      assign keys[p*KEY_W+:KEY_W] = last_beat ? first_key : key;
    end
  end

  n2f_reduce_tree #(
      .LENGTH  (P),
      .OP      (KIND),
      .X_W     (KEY_W),
      .X_SIGNED(X_SIGNED),
      .Y_W     (SUM_W)
  ) tree (
      .clk,
      .en,
      .x(keys),
      .y(of_beat)
  );

  // Beside the tree: which beats are there, and which of them begin and end a vector.
  logic [STAGES-1:0] step_pipe_q, first_pipe_q, last_pipe_q;
  logic valid_q, first, counts, greater;
  logic [SUM_W-1:0] best_q, best_d;

  assign en      = !valid_q || m_ready;
  assign first   = first_pipe_q[STAGES-1];
  assign counts  = step_pipe_q[STAGES-1];
  assign m_valid = valid_q;

  if (X_SIGNED) begin : gen_signed
    assign greater = $signed(of_beat) > $signed(best_q);
  end else begin : gen_unsigned
    assign greater = of_beat > best_q;
  end
  if (OP == 1) begin : gen_sum
    assign best_d = (first ? '0 : best_q) + of_beat;
  end else begin : gen_extreme
    assign best_d = first || greater == (KIND == 0) ? of_beat : best_q;
  end

  always_ff @(posedge clk) begin
    if (en) begin
      step_pipe_q  <= STAGES'({step_pipe_q, step});
      first_pipe_q <= STAGES'({first_pipe_q, BEATS == 1 || beat_q == '0});
      last_pipe_q  <= STAGES'({last_pipe_q, step && last_beat});
      valid_q      <= last_pipe_q[STAGES-1];
      if (counts) best_q <= best_d;
    end
    if (rst) begin
      last_pipe_q <= '0;
      valid_q     <= 1'b0;
    end
  end

  if (OP == 3) begin : gen_place_out
    logic [PLACE_W-1:0] place;

    assign place  = ~best_q[PLACE_W-1:0];
    assign m_data = Y_W'(place);
  end else begin : gen_out
    assign m_data = best_q;
  end

  assign unused = &{1'b0, greater, step_pipe_q, first_key};

endmodule

`default_nettype wire
