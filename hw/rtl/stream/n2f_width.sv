// n2f_width - other lanes: vectors of V elements in beats of P_IN elements, to beats of P_OUT.
//
// Numbers   elements of X_W bits; ROWS vectors side by side, element p of row r at bit (r*P + p)*X_W of a beat. Every vector
//           begins a beat of its own; where P_OUT does not divide V its last beat is filled up with zeros, and what fills
//           the last beat at the input is ignored.
// Stream    ready/valid. A buffer of P_IN + P_OUT - G lanes, G = gcd(P_IN, P_OUT), filled from above and emptied from
//           below in units of G. A beat of the next vector is taken when the last of this one goes. m_valid comes from
//           registers; s_ready depends on m_ready in the cycle.
// Latency   1 cycle, from the beat that completes another to the other. No bubbles where one of P_IN, P_OUT divides the
//           other: max(ceil(V/P_IN), ceil(V/P_OUT)) cycles a vector; otherwise at most one more.
// Reset     rst is synchronous and active high; it empties the buffer, and where zeros fill it up the data too.
// Twin      src/hwlib/width.ts
`default_nettype none

module n2f_width #(
    parameter int X_W   = 8,  // bits of an element, at least 1
    parameter int ROWS  = 1,  // vectors side by side, at least 1
    parameter int V     = 8,  // elements of a vector, at least 1
    parameter int P_IN  = 2,  // elements of a row in a beat, at least 1
    parameter int P_OUT = 4   // the same at the output, at least 1
) (
    input  wire logic                       clk,
    input  wire logic                       rst,

    input  wire logic                       s_valid,
    output      logic                       s_ready,
    input  wire logic [ROWS*P_IN*X_W-1:0]   s_data,

    output      logic                       m_valid,
    input  wire logic                       m_ready,
    output      logic [ROWS*P_OUT*X_W-1:0]  m_data
);

`ifndef SYNTHESIS
  initial begin
    if (X_W < 1) $fatal(1, "n2f_width: X_W=%0d, must be at least 1", X_W);
    if (ROWS < 1) $fatal(1, "n2f_width: ROWS=%0d, must be at least 1", ROWS);
    if (V < 1) $fatal(1, "n2f_width: V=%0d, must be at least 1", V);
    if (P_IN < 1) $fatal(1, "n2f_width: P_IN=%0d, must be at least 1", P_IN);
    if (P_OUT < 1) $fatal(1, "n2f_width: P_OUT=%0d, must be at least 1", P_OUT);
  end
`endif

  function automatic int gcd(input int a, input int b);
    int t;
    gcd = a;
    t   = b;
    for (int i = 0; i < 64; i++) begin
      if (t != 0) begin
        int rest;
        rest = gcd % t;
        gcd  = t;
        t    = rest;
      end
    end
  endfunction

  localparam int G = gcd(P_IN, P_OUT);
  localparam int IN_UNITS = P_IN / G;
  localparam int OUT_UNITS = P_OUT / G;
  localparam int CAPACITY = IN_UNITS + OUT_UNITS - 1;
  localparam int BEATS = (V + P_IN - 1) / P_IN;
  localparam int LAST = V - (BEATS - 1) * P_IN;  // elements in the last beat of a vector
  localparam int LAST_UNITS = (LAST + G - 1) / G;
  localparam int HELD_W = $clog2(CAPACITY + 1);
  localparam int BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;

  // ---- Control ------------------------------------------------------------------------------------------------

  logic take, give;
  logic valid_q, ended_q;  // ended: the last beat of the vector was taken
  logic [HELD_W-1:0] held_q, left, held_d;  // units in the buffer; left: after the beat that is given
  logic [BEAT_W-1:0] beat_q;
  logic last_beat, fits;

  assign give      = valid_q && m_ready;
  assign fits      = ended_q || OUT_UNITS == 1 ? left == '0 : left <= HELD_W'(CAPACITY - IN_UNITS);
  assign s_ready   = fits;
  assign take      = s_valid && fits;
  assign last_beat = BEATS == 1 || beat_q == BEAT_W'(BEATS - 1);
  assign held_d    = !take ? left : left + (last_beat ? HELD_W'(LAST_UNITS) : HELD_W'(IN_UNITS));
  assign m_valid   = valid_q;

  if (IN_UNITS == 1) begin : gen_leave_none
    assign left = give ? '0 : held_q;
  end else begin : gen_leave
    assign left = !give ? held_q : held_q > HELD_W'(OUT_UNITS) ? held_q - HELD_W'(OUT_UNITS) : '0;
  end

  always_ff @(posedge clk) begin
    held_q  <= held_d;
    valid_q <= held_d >= HELD_W'(OUT_UNITS) || ((take ? last_beat : ended_q) && held_d != '0);
    if (take) begin
      ended_q <= last_beat;
      beat_q  <= last_beat ? '0 : beat_q + 1'b1;
    end
    if (rst) begin
      held_q  <= '0;
      valid_q <= 1'b0;
      ended_q <= 1'b0;
      beat_q  <= '0;
    end
  end

  // ---- Lanes --------------------------------------------------------------------------------------------------
  // New units go on top of what is left. Where P_IN is a multiple of P_OUT that is always the bottom: the buffer is a shift
  // register. Elsewhere what is above the held is zero; where P_OUT is a multiple of P_IN a slot only ever gets one of the
  // new units, and there is nothing to choose.

  localparam int UNIT_W = G * X_W;

  for (genvar r = 0; r < ROWS; r++) begin : row
    logic [IN_UNITS*UNIT_W-1:0] news;
    logic [CAPACITY*UNIT_W-1:0] buffer_q;

    for (genvar p = 0; p < P_IN; p++) begin : lane
      // Units of the last beat that no beat of the output has are never looked at.
      if (p < LAST || (OUT_UNITS == 1 && p >= LAST_UNITS * G)) begin : gen_always
        assign news[p*X_W+:X_W] = s_data[(r*P_IN+p)*X_W+:X_W];
      end else begin : gen_not_last
        assign news[p*X_W+:X_W] = last_beat ? '0 : s_data[(r*P_IN+p)*X_W+:X_W];
      end
    end

    if (OUT_UNITS == 1) begin : gen_shift
      // A beat is taken when the last unit leaves or has left: no more than one is held then.
      for (genvar j = 0; j < CAPACITY; j++) begin : slot
        logic [UNIT_W-1:0] above;

        if (j + 1 < CAPACITY) begin : gen_above
          assign above = held_q <= HELD_W'(1) ? news[j*UNIT_W+:UNIT_W] : buffer_q[(j+1)*UNIT_W+:UNIT_W];
        end else begin : gen_top
          assign above = news[j*UNIT_W+:UNIT_W];
        end

        always_ff @(posedge clk) begin
          if (give || !valid_q) buffer_q[j*UNIT_W+:UNIT_W] <= above;
        end
      end
    end else begin : gen_fill
      for (genvar j = 0; j < CAPACITY; j++) begin : slot
        logic [UNIT_W-1:0] old, added;

        if (j + OUT_UNITS < CAPACITY) begin : gen_above
          assign old = give ? buffer_q[(j+OUT_UNITS)*UNIT_W+:UNIT_W] : buffer_q[j*UNIT_W+:UNIT_W];
        end else begin : gen_top
          assign old = give ? '0 : buffer_q[j*UNIT_W+:UNIT_W];
        end

        always_comb begin
          added = '0;
          for (int u = 0; u < IN_UNITS; u++) begin
            if (j >= u && j - u <= CAPACITY - IN_UNITS && left == HELD_W'(j - u)) added = news[u*UNIT_W+:UNIT_W];
          end
        end

        always_ff @(posedge clk) begin
          buffer_q[j*UNIT_W+:UNIT_W] <= take ? old | added : old;
          if (rst) buffer_q[j*UNIT_W+:UNIT_W] <= '0;
        end
      end
    end

    assign m_data[r*P_OUT*X_W+:P_OUT*X_W] = buffer_q[P_OUT*X_W-1:0];
  end

endmodule

`default_nettype wire
