// n2f_requantize - y = x / 2^SHIFT, rounded, then brought into OUT_W bits: the one operation that drops bits.
//
// Numbers   in: IN_W bits, signed or not; out: OUT_W bits, signed or not.
//           The binary point moves by SHIFT: OUT_FRAC = IN_FRAC - SHIFT.
// Rounding  0 TRN floor, 1 RND half up, 2 RND_CONV half to even, 3 TRN_ZERO toward zero.
// Overflow  0 SAT, 1 SAT_SYM (to -max .. max), 2 WRAP (modulo 2^OUT_W), 3 NONE (the caller has proved that nothing
//           overflows; takes the low bits like WRAP).
// Latency   0 cycles, combinational. What the parameters rule out (a carry, an overflow) costs no logic.
// Twin      src/fixed/round.ts (requantize); src/hwlib/requantize.ts
`default_nettype none

module n2f_requantize #(
    parameter int IN_W       = 16,  // input width in bits, at least 1
    parameter bit IN_SIGNED  = 1,   // 1: x is two's complement
    parameter int OUT_W      = 8,   // output width in bits, at least 1
    parameter bit OUT_SIGNED = 1,   // 1: y is two's complement
    parameter int SHIFT      = 4,   // bits dropped; negative: shifted left
    parameter int ROUNDING   = 0,   // 0 .. 3, see above
    parameter int OVERFLOW   = 0    // 0 .. 3, see above
) (
    input  wire logic [IN_W-1:0]  x,
    output      logic [OUT_W-1:0] y
);

`ifndef SYNTHESIS
  initial begin
    if (IN_W < 1) $fatal(1, "n2f_requantize: IN_W=%0d, must be at least 1", IN_W);
    if (OUT_W < 1) $fatal(1, "n2f_requantize: OUT_W=%0d, must be at least 1", OUT_W);
    if (ROUNDING < 0 || ROUNDING > 3) $fatal(1, "n2f_requantize: ROUNDING=%0d, must be in 0..3", ROUNDING);
    if (OVERFLOW < 0 || OVERFLOW > 3) $fatal(1, "n2f_requantize: OVERFLOW=%0d, must be in 0..3", OVERFLOW);
  end
`endif

  // From here on every number is signed; an unsigned input gets a zero on top.
  localparam int V_W = IN_SIGNED ? IN_W : IN_W + 1;

  // Dropping more bits than there are, or lifting x clean over the output, changes nothing any more.
  localparam int DROP = SHIFT <= 0 ? 0 : SHIFT > V_W ? V_W : SHIFT;
  localparam int LIFT = SHIFT >= 0 ? 0 : -SHIFT > OUT_W ? OUT_W : -SHIFT;

  // The rounded quotient. Rounding up may need a bit more than the floor has.
  localparam int FLOOR_W = DROP == V_W ? 1 : V_W - DROP;
  localparam bit GROWS = DROP > 0 && (ROUNDING == 1 || ROUNDING == 2);
  localparam int Q_W = LIFT > 0 ? V_W + LIFT : GROWS ? FLOOR_W + 1 : FLOOR_W;

  logic signed [V_W-1:0]     v;
  logic signed [FLOOR_W-1:0] floor;
  logic signed [Q_W-1:0]     q;

  if (IN_SIGNED) begin : gen_signed
    assign v = x;
  end else begin : gen_unsigned
    assign v = {1'b0, x};
  end

  assign floor = FLOOR_W'(v >>> DROP);

  if (DROP == 0) begin : gen_exact
    assign q = Q_W'(v) <<< LIFT;
  end else if (ROUNDING == 0) begin : gen_floor
    assign q = floor;
  end else begin : gen_round
    logic half, rest, up;

    assign half = v[DROP-1];
    if (DROP == 1) begin : gen_no_rest
      assign rest = 1'b0;
    end else begin : gen_rest
      assign rest = |v[DROP-2:0];
    end

    if (ROUNDING == 1) begin : gen_half_up
      assign up = half;
    end else if (ROUNDING == 2) begin : gen_half_even
      assign up = half && (rest || v[DROP == V_W ? V_W - 1 : DROP]);
    end else begin : gen_toward_zero
      assign up = v[V_W-1] && (half || rest);
    end

    assign q = Q_W'(floor) + Q_W'({1'b0, up});

    logic unused_rest;
    assign unused_rest = rest;
  end

  // Does q leave the output's range at all?
  localparam bit SYMMETRIC = OVERFLOW == 1 && OUT_SIGNED;
  localparam bit TOO_HIGH = Q_W - 1 > (OUT_SIGNED ? OUT_W - 1 : OUT_W);
  localparam bit TOO_LOW = IN_SIGNED && (!OUT_SIGNED || Q_W > OUT_W || (SYMMETRIC && Q_W == OUT_W));

  if (OVERFLOW >= 2 || !(TOO_HIGH || TOO_LOW)) begin : gen_wrap
    assign y = OUT_W'(q);
  end else if (SYMMETRIC && OUT_W == 1) begin : gen_zero
    assign y = 1'b0;
  end else begin : gen_saturate
    // Inside the range the bits from TOP on are all copies of the output's sign.
    localparam int TOP = OUT_SIGNED ? OUT_W - 1 : OUT_W;
    localparam int E_W = Q_W > TOP ? Q_W : TOP + 1;

    logic signed [E_W-1:0]   e;
    logic                    negative, outside;
    logic        [OUT_W-1:0] limit, clipped;

    assign e        = E_W'(q);
    assign negative = IN_SIGNED && e[E_W-1];

    if (OUT_SIGNED) begin : gen_to_signed
      assign outside = negative ? !(&e[E_W-1:TOP]) : |e[E_W-1:TOP];
      assign limit   = {OUT_W{!negative}} ^ (OUT_W'(1) << (OUT_W - 1));
    end else begin : gen_to_unsigned
      assign outside = |e[E_W-1:TOP];
      assign limit   = {OUT_W{!negative}};
    end
    assign clipped = outside ? limit : e[OUT_W-1:0];

    if (SYMMETRIC) begin : gen_symmetric
      // -max - 1 becomes -max.
      assign y = {clipped[OUT_W-1:1], clipped[0] || (clipped[OUT_W-1] && !(|clipped[OUT_W-2:0]))};
    end else begin : gen_full
      assign y = clipped;
    end
  end

  logic unused;
  assign unused = &{1'b0, v, floor, q};

endmodule

`default_nettype wire
