// n2f_window_line - sliding window of a convolution or pooling, all of it at once: pixels in, whole windows out.
//
// Numbers   pictures of H rows of W pixels of C channels of X_W bits; kernel KH x KW, stride SH, SW, dilation DH, DW, padding
//           PT, PB, PL, PR of PAD. OH = (H + PT + PB - (KH-1)*DH - 1) / SH + 1, OW likewise. 1-D: H = KH = 1.
// Stream    ready/valid. In: H*W/COLS beats a picture, pixel j of a beat at bit j*C*X_W. Out: a beat for OC = max(1, COLS/SW)
//           neighbouring windows; element (ky, kx, c) of window i at (((i*KH + ky)*KW + kx)*C + c)*X_W.
//           Every step takes a beat; those behind the last pixel, for windows that reach below it, take none. Padding costs no
//           other steps: a window that reaches to the right over the end of a row is complete with the next row's beats.
//           While a window waits for m_ready all stands still; s_ready depends on m_ready in the cycle.
// Interval  steps of a picture: max(H*W/COLS, last + 1), last = ((OH-1)*SH + (KH-1)*DH - PT)*W/COLS + lag + OW groups.
// Latency   1 cycle, from the step that completes a window.
// Memory    (KH-1)*DH rows. STYLE 0: LUT RAM, 1: block RAM, W*DH/COLS words of (KH-1)*COLS pixels. The window: registers.
// Reset     rst is synchronous and active high; it clears valid and the counters, not data.
// Twin      src/hwlib/window-line.ts
`default_nettype none

module n2f_window_line #(
    parameter int H     = 4,  // rows, at least 1
    parameter int W     = 4,  // pixels of a row, at least 1
    parameter int C     = 1,  // channels, at least 1
    parameter int X_W   = 8,  // bits of an element, at least 1
    parameter int KH    = 3,  // rows of the kernel, at least 1
    parameter int KW    = 3,  // columns of the kernel, at least 1
    parameter int SH    = 1,  // rows from window to window, at least 1
    parameter int SW    = 1,  // columns from window to window, at least 1
    parameter int DH    = 1,  // rows from tap to tap, at least 1
    parameter int DW    = 1,  // columns from tap to tap, at least 1
    parameter int PT    = 1,  // padding above, 0 .. (KH-1)*DH
    parameter int PB    = 1,  // padding below, 0 .. (KH-1)*DH
    parameter int PL    = 1,  // padding at the left, 0 .. (KW-1)*DW
    parameter int PR    = 1,  // padding at the right, 0 .. (KW-1)*DW
    parameter signed PAD = 0,  // an element of the padding; its low X_W bits
    parameter int COLS  = 1,  // pixels of a beat; divides W; one of COLS and SW divides the other
    parameter int STYLE = 0   // row buffers in 0: LUT RAM, 1: block RAM
) (
    input  wire logic                                        clk,
    input  wire logic                                        rst,

    input  wire logic                                        s_valid,
    output      logic                                        s_ready,
    input  wire logic [COLS*C*X_W-1:0]                       s_data,

    output      logic                                        m_valid,
    input  wire logic                                        m_ready,
    output      logic [(COLS>SW?COLS/SW:1)*KH*KW*C*X_W-1:0]  m_data
);

  localparam int OH = (H + PT + PB - (KH - 1) * DH - 1) / SH + 1;
  localparam int OW = (W + PL + PR - (KW - 1) * DW - 1) / SW + 1;
  localparam int OC = COLS > SW ? COLS / SW : 1;        // windows of a beat
  localparam int STRIDE = SW > COLS ? SW / COLS : 1;    // steps from one group of them to the next
  localparam int GROUPS = OW / OC;
  localparam int BEATS = W / COLS;                      // of a row

`ifndef SYNTHESIS
  initial begin
    if (H < 1 || W < 1) $fatal(1, "n2f_window_line: H=%0d, W=%0d, must be at least 1", H, W);
    if (C < 1) $fatal(1, "n2f_window_line: C=%0d, must be at least 1", C);
    if (X_W < 1) $fatal(1, "n2f_window_line: X_W=%0d, must be at least 1", X_W);
    if (KH < 1 || KW < 1) $fatal(1, "n2f_window_line: KH=%0d, KW=%0d, must be at least 1", KH, KW);
    if (SH < 1 || SW < 1) $fatal(1, "n2f_window_line: SH=%0d, SW=%0d, must be at least 1", SH, SW);
    if (DH < 1 || DW < 1) $fatal(1, "n2f_window_line: DH=%0d, DW=%0d, must be at least 1", DH, DW);
    if (PT < 0 || PT > (KH - 1) * DH || PB < 0 || PB > (KH - 1) * DH)
      $fatal(1, "n2f_window_line: PT=%0d, PB=%0d, must be in 0..%0d", PT, PB, (KH - 1) * DH);
    if (PL < 0 || PL > (KW - 1) * DW || PR < 0 || PR > (KW - 1) * DW)
      $fatal(1, "n2f_window_line: PL=%0d, PR=%0d, must be in 0..%0d", PL, PR, (KW - 1) * DW);
    if (W % COLS != 0) $fatal(1, "n2f_window_line: COLS=%0d, must divide W=%0d", COLS, W);
    if (COLS % SW != 0 && SW % COLS != 0)
      $fatal(1, "n2f_window_line: one of COLS=%0d and SW=%0d must divide the other", COLS, SW);
    if (OW % OC != 0) $fatal(1, "n2f_window_line: %0d windows a row, no multiple of %0d", OW, OC);
    if ((GROUPS - 1) * STRIDE >= BEATS) $fatal(1, "n2f_window_line: %0d windows a row, too many", OW);
    if (STYLE < 0 || STYLE > 1) $fatal(1, "n2f_window_line: STYLE=%0d, must be 0 or 1", STYLE);
  end
`endif

  localparam int LAG = ((OC - 1) * SW + (KW - 1) * DW - PL) / COLS;
  localparam int FIRST = ((KH - 1) * DH - PT) * BEATS + LAG;  // the step that gives the first beat
  localparam int TAKING = H * BEATS;                          // steps that take a beat
  localparam int LAST = FIRST + (OH - 1) * SH * BEATS + (GROUPS - 1) * STRIDE;
  localparam int STEPS = LAST + 1 > TAKING ? LAST + 1 : TAKING;

  // ---- Steps --------------------------------------------------------------------------------------------------

  localparam int AT_W = $clog2(STEPS + 1);
  localparam int COL_W = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int ROW_W = $clog2((STEPS - FIRST) / BEATS + 2);
  localparam int STRIDE_W = STRIDE > 1 ? $clog2(STRIDE) : 1;
  localparam int SH_W = SH > 1 ? $clog2(SH) : 1;

  logic en, taking, step, emits, valid_q;
  logic [AT_W-1:0] at_q;
  logic last_step, started;

  // Row and column of the group of windows that a step completes, counted in steps, and how many until the next.
  logic [COL_W-1:0] col_q;
  logic [ROW_W-1:0] row_q;
  logic [STRIDE_W-1:0] skip_col_q;
  logic [SH_W-1:0] skip_row_q;
  logic last_col, in_row, in_picture;

  assign en        = !valid_q || m_ready;
  assign s_ready   = en && taking;
  assign step      = en && (s_valid || !taking);
  assign last_step = at_q == AT_W'(STEPS - 1);
  assign m_valid   = valid_q;
  assign last_col  = BEATS == 1 || col_q == COL_W'(BEATS - 1);

  if (STEPS == TAKING) begin : gen_no_flush
    assign taking = 1'b1;
  end else begin : gen_flush
    assign taking = at_q < AT_W'(TAKING);
  end
  if (FIRST == 0) begin : gen_at_once
    assign started = 1'b1;
  end else begin : gen_later
    assign started = at_q >= AT_W'(FIRST);
  end
  if (GROUPS * STRIDE >= BEATS) begin : gen_whole_row
    assign in_row = 1'b1;
  end else begin : gen_part_of_row
    assign in_row = col_q < COL_W'(GROUPS * STRIDE);
  end
  if (OH * SH > (STEPS - 1 - FIRST) / BEATS) begin : gen_all_rows
    assign in_picture = 1'b1;
  end else begin : gen_some_rows
    assign in_picture = row_q < ROW_W'(OH * SH);
  end
  assign emits = started && in_row && in_picture && skip_col_q == '0 && skip_row_q == '0;

  always_ff @(posedge clk) begin
    if (en) valid_q <= step && emits;
    if (step) begin
      at_q <= last_step ? '0 : at_q + 1'b1;
      if (started) begin
        col_q      <= last_col ? '0 : col_q + 1'b1;
        skip_col_q <= last_col || STRIDE == 1 ? '0 : skip_col_q == '0 ? STRIDE_W'(STRIDE - 1) : skip_col_q - 1'b1;
        if (last_col) begin
          row_q      <= row_q + 1'b1;
          skip_row_q <= SH == 1 ? '0 : skip_row_q == '0 ? SH_W'(SH - 1) : skip_row_q - 1'b1;
        end
      end
    end
    if (rst || (step && last_step)) begin
      at_q       <= '0;
      col_q      <= '0;
      row_q      <= '0;
      skip_col_q <= '0;
      skip_row_q <= '0;
    end
    if (rst) valid_q <= 1'b0;
  end

  // ---- Rows: the beat that came in, and those DH, 2*DH, ... rows before it ------------------------------------
  // A memory of DH rows, all of whose words are as wide as KH - 1 beats, read one step ahead of where it is written.

  localparam int BEAT_W = COLS * C * X_W;

  logic [KH*BEAT_W-1:0] rows;  // the newest row at the bottom

  if (KH == 1) begin : gen_one_row
    assign rows = s_data;
  end else begin : gen_rows
    localparam int DEPTH = DH * BEATS;
    localparam int ADDR_W = DEPTH > 1 ? $clog2(DEPTH) : 1;

    logic [(KH-1)*BEAT_W-1:0] old_q;

    assign rows = {old_q, s_data};

    if (DEPTH == 1) begin : gen_register
      always_ff @(posedge clk) begin
        if (step) old_q <= rows[(KH-1)*BEAT_W-1:0];
      end
    end else begin : gen_memory
      logic [ADDR_W-1:0] addr_q, next_q;  // written in this step; read for the next one

      always_ff @(posedge clk) begin
        if (step) begin
          addr_q <= next_q;
          next_q <= next_q == ADDR_W'(DEPTH - 1) ? '0 : next_q + 1'b1;
        end
        if (rst) begin
          addr_q <= '0;
          next_q <= ADDR_W'(1);
        end
      end

      if (STYLE == 0) begin : gen_lut
        (* ram_style = "distributed" *) logic [(KH-1)*BEAT_W-1:0] words[0:DEPTH-1];

        always_ff @(posedge clk) begin
          if (step) words[addr_q] <= rows[(KH-1)*BEAT_W-1:0];
        end

        always_ff @(posedge clk) begin
          if (step) old_q <= words[next_q];
        end
      end else begin : gen_block
        (* ram_style = "block" *) logic [(KH-1)*BEAT_W-1:0] words[0:DEPTH-1];

        always_ff @(posedge clk) begin
          if (step) words[addr_q] <= rows[(KH-1)*BEAT_W-1:0];
        end

        always_ff @(posedge clk) begin
          if (step) old_q <= words[next_q];
        end
      end
    end
  end

  // ---- The window ---------------------------------------------------------------------------------------------
  // Of each row the last pixels. Tap kx of window i lies `distance` pixels behind the newest one.

  localparam int REACH = (LAG + 1) * COLS - 1 + PL;  // the distance of the farthest
  localparam int HELD = REACH / COLS + 1;            // beats held
  localparam int PIXEL_W = C * X_W;

  logic [OC*KW-1:0] col_ok_q;
  logic [KH-1:0] row_ok_q;

  for (genvar ky = 0; ky < KH; ky++) begin : row
    localparam int LOW = PT - ky * DH;  // rows from LOW on, and before HIGH, are real
    localparam int HIGH = H + PT - ky * DH;

    logic [HELD*BEAT_W-1:0] held_q;  // the newest beat at the top
    logic row_ok;

    if (HELD == 1) begin : gen_newest
      always_ff @(posedge clk) begin
        if (step) held_q <= rows[(KH-1-ky)*BEAT_W+:BEAT_W];
      end
    end else begin : gen_shift
      always_ff @(posedge clk) begin
        if (step) held_q <= {rows[(KH-1-ky)*BEAT_W+:BEAT_W], held_q[HELD*BEAT_W-1:BEAT_W]};
      end
    end

    if (HIGH <= 0) begin : gen_never
      assign row_ok = 1'b0;
    end else if (LOW > 0 && HIGH <= (OH - 1) * SH) begin : gen_both
      assign row_ok = row_q >= ROW_W'(LOW) && row_q < ROW_W'(HIGH);
    end else if (LOW > 0) begin : gen_above
      assign row_ok = row_q >= ROW_W'(LOW);
    end else if (HIGH <= (OH - 1) * SH) begin : gen_below
      assign row_ok = row_q < ROW_W'(HIGH);
    end else begin : gen_real
      assign row_ok = 1'b1;
    end

    always_ff @(posedge clk) begin
      if (step) row_ok_q[ky] <= row_ok;
    end

    for (genvar i = 0; i < OC; i++) begin : window
      for (genvar kx = 0; kx < KW; kx++) begin : tap
        localparam int DISTANCE = (LAG + 1) * COLS - 1 - i * SW + PL - kx * DW;
        // Above the lowest bits of held_q.
        localparam int AT = ((HELD - 1 - DISTANCE / COLS) * COLS + COLS - 1 - DISTANCE % COLS) * PIXEL_W;
        localparam bit CAN_PAD = LOW > 0 || HIGH <= (OH - 1) * SH || kx * DW + i * SW < PL
            || (GROUPS - 1) * STRIDE * COLS + i * SW + kx * DW - PL >= W;

        if (CAN_PAD) begin : gen_masked
          assign m_data[((i*KH+ky)*KW+kx)*PIXEL_W+:PIXEL_W] =
              row_ok_q[ky] && col_ok_q[i*KW+kx] ? held_q[AT+:PIXEL_W] : {C{X_W'(PAD)}};
        end else begin : gen_plain
          assign m_data[((i*KH+ky)*KW+kx)*PIXEL_W+:PIXEL_W] = held_q[AT+:PIXEL_W];
        end
      end
    end

    logic unused;
    assign unused = &{1'b0, held_q};
  end

  for (genvar i = 0; i < OC; i++) begin : column
    for (genvar kx = 0; kx < KW; kx++) begin : tap
      localparam int LEFT = PL - kx * DW - i * SW;  // pixels missing at the left in the row's first group
      localparam int LOW = LEFT > 0 ? (LEFT + COLS - 1) / COLS : 0;
      localparam int HIGH = (W + LEFT + COLS - 1) / COLS;

      logic col_ok;

      if (W + LEFT <= 0) begin : gen_never
        assign col_ok = 1'b0;
      end else if (LOW > 0 && HIGH <= (GROUPS - 1) * STRIDE) begin : gen_both
        assign col_ok = col_q >= COL_W'(LOW) && col_q < COL_W'(HIGH);
      end else if (LOW > 0) begin : gen_left
        assign col_ok = col_q >= COL_W'(LOW);
      end else if (HIGH <= (GROUPS - 1) * STRIDE) begin : gen_right
        assign col_ok = col_q < COL_W'(HIGH);
      end else begin : gen_real
        assign col_ok = 1'b1;
      end

      always_ff @(posedge clk) begin
        if (step) col_ok_q[i*KW+kx] <= col_ok;
      end
    end
  end

  logic unused;
  assign unused = &{1'b0, row_ok_q, col_ok_q, row_q};

endmodule

`default_nettype wire
