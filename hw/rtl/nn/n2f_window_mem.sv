// n2f_window_mem - sliding window of a convolution or pooling, P channels at a time, from a memory of some rows.
//
// Numbers   pictures of H rows of W pixels of C channels of X_W bits; kernel KH x KW, stride SH, SW, dilation DH, DW, padding
//           PT, PB, PL, PR of PAD. CB = C/P beats a pixel.
// Stream    ready/valid. In: H*W*CB beats of P channels. Out: for each of OH*OW windows KH*KW*CB beats of P channels, in the
//           order (ky, kx, cb), cb fastest, or with CHANNEL_MAJOR (cb, ky, kx). Written and read at the same time.
//           A beat is taken while fewer than LINES full rows are held (and at most one more picture than is being read is
//           complete). A row is held until the windows of the last row that needs it were read. A window is read as soon as
//           its last real pixel was written in an earlier cycle; the last one of a picture, when the picture was.
//           s_ready comes from registers.
// Interval  max(H*W, OH*OW*KH*KW)*CB cycles a picture if LINES leaves room for the rows of the next windows.
// Latency   2 cycles, from a read to its beat.
// Memory    LINES*W*CB words. STYLE 0: LUT RAM, 1: block RAM.
// Reset     rst is synchronous and active high; it clears valid and the counters, not data.
// Twin      src/hwlib/window-mem.ts
`default_nettype none

module n2f_window_mem #(
    parameter int H             = 4,  // rows, at least 1
    parameter int W             = 4,  // pixels of a row, at least 1
    parameter int C             = 2,  // channels, at least 1
    parameter int X_W           = 8,  // bits of an element, at least 1
    parameter int KH            = 3,  // rows of the kernel, at least 1
    parameter int KW            = 3,  // columns of the kernel, at least 1
    parameter int SH            = 1,  // rows from window to window, at least 1
    parameter int SW            = 1,  // columns from window to window, at least 1
    parameter int DH            = 1,  // rows from tap to tap, at least 1
    parameter int DW            = 1,  // columns from tap to tap, at least 1
    parameter int PT            = 1,  // padding above, 0 .. (KH-1)*DH
    parameter int PB            = 1,  // padding below, 0 .. (KH-1)*DH
    parameter int PL            = 1,  // padding at the left, 0 .. (KW-1)*DW
    parameter int PR            = 1,  // padding at the right, 0 .. (KW-1)*DW
    parameter signed PAD = 0,  // an element of the padding; its low X_W bits
    parameter int P             = 1,  // channels of a beat; divides C
    parameter int LINES         = 4,  // rows of the memory, at least min(H, (KH-1)*DH + 1)
    parameter bit CHANNEL_MAJOR = 0,  // 1: all taps of P channels, then the next channels
    parameter int STYLE         = 0   // memory in 0: LUT RAM, 1: block RAM
) (
    input  wire logic             clk,
    input  wire logic             rst,

    input  wire logic             s_valid,
    output      logic             s_ready,
    input  wire logic [P*X_W-1:0] s_data,

    output      logic             m_valid,
    input  wire logic             m_ready,
    output      logic [P*X_W-1:0] m_data
);

  localparam int REACH_H = (KH - 1) * DH;
  localparam int REACH_W = (KW - 1) * DW;
  localparam int OH = (H + PT + PB - REACH_H - 1) / SH + 1;
  localparam int OW = (W + PL + PR - REACH_W - 1) / SW + 1;

`ifndef SYNTHESIS
  initial begin
    if (H < 1 || W < 1) $fatal(1, "n2f_window_mem: H=%0d, W=%0d, must be at least 1", H, W);
    if (X_W < 1) $fatal(1, "n2f_window_mem: X_W=%0d, must be at least 1", X_W);
    if (KH < 1 || KW < 1) $fatal(1, "n2f_window_mem: KH=%0d, KW=%0d, must be at least 1", KH, KW);
    if (SH < 1 || SW < 1) $fatal(1, "n2f_window_mem: SH=%0d, SW=%0d, must be at least 1", SH, SW);
    if (DH < 1 || DW < 1) $fatal(1, "n2f_window_mem: DH=%0d, DW=%0d, must be at least 1", DH, DW);
    if (PT < 0 || PT > REACH_H || PB < 0 || PB > REACH_H)
      $fatal(1, "n2f_window_mem: PT=%0d, PB=%0d, must be in 0..%0d", PT, PB, REACH_H);
    if (PL < 0 || PL > REACH_W || PR < 0 || PR > REACH_W)
      $fatal(1, "n2f_window_mem: PL=%0d, PR=%0d, must be in 0..%0d", PL, PR, REACH_W);
    if (P < 1 || C % P != 0) $fatal(1, "n2f_window_mem: P=%0d, must divide C=%0d", P, C);
    if (LINES < (REACH_H + 1 < H ? REACH_H + 1 : H)) $fatal(1, "n2f_window_mem: LINES=%0d, too few", LINES);
    if (STYLE < 0 || STYLE > 1) $fatal(1, "n2f_window_mem: STYLE=%0d, must be 0 or 1", STYLE);
  end
`endif

  localparam int CB = C / P;
  localparam int ROW = W * CB;         // words of a row
  localparam int DEPTH = LINES * ROW;
  localparam int ADDR_W = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int CB_W = CB > 1 ? $clog2(CB) : 1;
  localparam int KX_W = KW > 1 ? $clog2(KW) : 1;
  localparam int KY_W = KH > 1 ? $clog2(KH) : 1;
  localparam int OX_W = OW > 1 ? $clog2(OW) : 1;
  localparam int OY_W = OH > 1 ? $clog2(OH) : 1;
  // Signed coordinates, with the padding and one window beyond.
  localparam int X_BITS = $clog2(W + 2 * REACH_W + SW + 2) + 2;
  localparam int Y_BITS = $clog2(H + 2 * REACH_H + SH + 2) + 2;
  localparam int LINES_W = $clog2(LINES + H + SH + 2) + 2;

  logic take, en, read;
  logic row_end, picture_end;  // what is taken ends a row, a picture
  logic rows_done, picture_done;  // what is read ends a row of windows, a picture

  // ---- Writer -------------------------------------------------------------------------------------------------

  logic [ADDR_W-1:0] write_q;
  logic [CB_W-1:0] write_cb_q;
  logic signed [X_BITS-1:0] write_x_q;
  logic signed [Y_BITS-1:0] write_y_q;
  logic [1:0] ahead_q;  // pictures that are complete and not done with
  // Full rows held; below zero where rows that no window needs are let go before they come.
  logic signed [LINES_W-1:0] lines_q, released;
  logic pixel_end;

  assign s_ready     = lines_q < LINES_W'(LINES) && ahead_q != 2'd2;
  assign take        = s_valid && s_ready;
  assign pixel_end   = take && (CB == 1 || write_cb_q == CB_W'(CB - 1));
  assign row_end     = pixel_end && write_x_q == X_BITS'(W - 1);
  assign picture_end = row_end && write_y_q == Y_BITS'(H - 1);

  always_ff @(posedge clk) begin
    if (take) begin
      write_q    <= write_q == ADDR_W'(DEPTH - 1) ? '0 : write_q + 1'b1;
      write_cb_q <= pixel_end ? '0 : write_cb_q + 1'b1;
    end
    if (pixel_end) write_x_q <= row_end ? '0 : write_x_q + 1'b1;
    if (row_end) write_y_q <= picture_end ? '0 : write_y_q + 1'b1;
    lines_q <= lines_q + LINES_W'({1'b0, row_end}) - released;
    if (picture_end && !picture_done) ahead_q <= ahead_q + 1'b1;
    else if (picture_done && !picture_end) ahead_q <= ahead_q - 1'b1;
    if (rst) begin
      write_q    <= '0;
      write_cb_q <= '0;
      write_x_q  <= '0;
      write_y_q  <= '0;
      lines_q    <= '0;
      ahead_q    <= '0;
    end
  end

  // ---- Reader -------------------------------------------------------------------------------------------------
  // Counters of the tap, and of the window.

  logic [CB_W-1:0] cb_q;
  logic [KX_W-1:0] kx_q;
  logic [KY_W-1:0] ky_q;
  logic [OX_W-1:0] ox_q;
  logic [OY_W-1:0] oy_q;
  logic last_cb, last_kx, last_ky, last_ox, last_oy, last_tap;
  logic next_cb, next_kx, next_ky;  // counters that move with the next step

  assign last_cb  = CB == 1 || cb_q == CB_W'(CB - 1);
  assign last_kx  = KW == 1 || kx_q == KX_W'(KW - 1);
  assign last_ky  = KH == 1 || ky_q == KY_W'(KH - 1);
  assign last_ox  = OW == 1 || ox_q == OX_W'(OW - 1);
  assign last_oy  = OH == 1 || oy_q == OY_W'(OH - 1);
  assign last_tap = last_cb && last_kx && last_ky;
  assign next_kx  = CHANNEL_MAJOR || last_cb;
  assign next_ky  = next_kx && last_kx;
  assign next_cb  = !CHANNEL_MAJOR || (last_kx && last_ky);

  always_ff @(posedge clk) begin
    if (read) begin
      if (next_cb) cb_q <= last_cb ? '0 : cb_q + 1'b1;
      if (next_kx) kx_q <= last_kx ? '0 : kx_q + 1'b1;
      if (next_ky) ky_q <= last_ky ? '0 : ky_q + 1'b1;
      if (last_tap) ox_q <= last_ox ? '0 : ox_q + 1'b1;
      if (last_tap && last_ox) oy_q <= last_oy ? '0 : oy_q + 1'b1;
    end
    if (rst) begin
      cb_q <= '0;
      kx_q <= '0;
      ky_q <= '0;
      ox_q <= '0;
      oy_q <= '0;
    end
  end

  // Coordinates of the window's upper left corner and of the tap, and the last real pixel that the window needs.
  logic signed [X_BITS-1:0] left_q, left_d, x_q, need_x_q, need_x_d;
  logic signed [Y_BITS-1:0] top_q, top_d, y_q, need_y_q, need_y_d;
  logic last_window_d;  // the window after this one is the last of its picture

  assign left_d        = last_ox ? X_BITS'(-PL) : left_q + X_BITS'(SW);
  assign top_d         = !last_ox ? top_q : last_oy ? Y_BITS'(-PT) : top_q + Y_BITS'(SH);
  assign last_window_d =
      left_d == X_BITS'((OW - 1) * SW - PL) && top_d == Y_BITS'((OH - 1) * SH - PT);
  assign need_x_d =
      last_window_d || left_d > X_BITS'(W - 1 - REACH_W) ? X_BITS'(W - 1) : left_d + X_BITS'(REACH_W);
  assign need_y_d =
      last_window_d || top_d > Y_BITS'(H - 1 - REACH_H) ? Y_BITS'(H - 1) : top_d + Y_BITS'(REACH_H);

  // The window that is read first.
  localparam bit ONE = OH * OW == 1;
  localparam int FIRST_X = ONE || REACH_W - PL > W - 1 ? W - 1 : REACH_W - PL;
  localparam int FIRST_Y = ONE || REACH_H - PT > H - 1 ? H - 1 : REACH_H - PT;

  always_ff @(posedge clk) begin
    if (read) begin
      if (next_kx) x_q <= last_tap ? left_d : last_kx ? left_q : x_q + X_BITS'(DW);
      if (next_ky) y_q <= last_tap ? top_d : last_ky ? top_q : y_q + Y_BITS'(DH);
      if (last_tap) begin
        left_q   <= left_d;
        top_q    <= top_d;
        need_x_q <= need_x_d;
        need_y_q <= need_y_d;
      end
    end
    if (rst) begin
      left_q   <= X_BITS'(-PL);
      x_q      <= X_BITS'(-PL);
      top_q    <= Y_BITS'(-PT);
      y_q      <= Y_BITS'(-PT);
      need_x_q <= X_BITS'(FIRST_X);
      need_y_q <= Y_BITS'(FIRST_Y);
    end
  end

  logic written;
  assign written = ahead_q != '0 || write_y_q > need_y_q || (write_y_q == need_y_q && write_x_q > need_x_q);

  assign en           = !m_valid || m_ready;
  assign read         = en && written;
  assign rows_done    = read && last_tap && last_ox;
  assign picture_done = rows_done && last_oy;

  // Rows that no later window of the picture needs.
  always_comb begin
    released = '0;
    if (rows_done) begin
      if (last_oy) released = LINES_W'(H) - (top_q < 0 ? '0 : LINES_W'(top_q));
      else if (top_q >= 0) released = LINES_W'(SH);
      else if (top_q + Y_BITS'(SH) > 0) released = LINES_W'(top_q + Y_BITS'(SH));
    end
  end

  // ---- Addresses ----------------------------------------------------------------------------------------------
  // All modulo DEPTH: of the tap, of the window's corner, and of the corner of the row's first window. Corners in the
  // padding have addresses too, at which nothing is read.

  localparam int LIFT = DEPTH * (REACH_H + REACH_W + 2);  // makes what is negative positive, before the remainder
  localparam int PIXEL_STEP = DW * CB;
  localparam int TO_CB = CHANNEL_MAJOR ? (LIFT + 1 - REACH_H * ROW - REACH_W * CB) % DEPTH : 1 % DEPTH;
  localparam int TO_KX = (CHANNEL_MAJOR ? PIXEL_STEP : LIFT + PIXEL_STEP - (CB - 1)) % DEPTH;
  localparam int TO_KY = (LIFT + DH * ROW - REACH_W * CB - (CHANNEL_MAJOR ? 0 : CB - 1)) % DEPTH;
  localparam int TO_OX = (SW * CB) % DEPTH;
  localparam int TO_OY = (SH * ROW) % DEPTH;
  localparam int TO_PICTURE = (LIFT * H + (H - (OH - 1) * SH) * ROW) % DEPTH;
  localparam int START = (LIFT - PT * ROW - PL * CB) % DEPTH;

  logic [ADDR_W-1:0] addr_q, corner_q, row_q, from, addr_d;
  logic [ADDR_W:0] delta, sum;

  assign from = !last_tap ? addr_q : last_ox ? row_q : corner_q;

  always_comb begin
    if (last_tap) begin
      if (!last_ox) delta = (ADDR_W + 1)'(TO_OX);
      else delta = last_oy ? (ADDR_W + 1)'(TO_PICTURE) : (ADDR_W + 1)'(TO_OY);
    end else if (CHANNEL_MAJOR) begin
      delta = !last_kx ? (ADDR_W + 1)'(TO_KX) : !last_ky ? (ADDR_W + 1)'(TO_KY) : (ADDR_W + 1)'(TO_CB);
    end else begin
      delta = !last_cb ? (ADDR_W + 1)'(TO_CB) : !last_kx ? (ADDR_W + 1)'(TO_KX) : (ADDR_W + 1)'(TO_KY);
    end
  end

  assign sum    = (ADDR_W + 1)'(from) + delta;
  assign addr_d = sum >= (ADDR_W + 1)'(DEPTH) ? ADDR_W'(sum - (ADDR_W + 1)'(DEPTH)) : ADDR_W'(sum);

  always_ff @(posedge clk) begin
    if (read) begin
      addr_q <= addr_d;
      if (last_tap) corner_q <= addr_d;
      if (last_tap && last_ox) row_q <= addr_d;
    end
    if (rst) begin
      addr_q   <= ADDR_W'(START);
      corner_q <= ADDR_W'(START);
      row_q    <= ADDR_W'(START);
    end
  end

  // ---- Memory, and two stages behind it -----------------------------------------------------------------------

  logic [1:0] valid_q;
  logic real_q;
  logic [P*X_W-1:0] word_q, out_q;

  assign m_valid = valid_q[1];
  assign m_data  = out_q;

  always_ff @(posedge clk) begin
    if (en) begin
      valid_q <= {valid_q[0], read};
      real_q  <= x_q >= 0 && x_q < X_BITS'(W) && y_q >= 0 && y_q < Y_BITS'(H);
      out_q   <= real_q ? word_q : {P{X_W'(PAD)}};
    end
    if (rst) valid_q <= '0;
  end

  if (STYLE == 0) begin : gen_lut
    (* ram_style = "distributed" *) logic [P*X_W-1:0] words[0:DEPTH-1];

    always_ff @(posedge clk) begin
      if (take) words[write_q] <= s_data;
    end

    always_ff @(posedge clk) begin
      if (en) word_q <= words[addr_q];
    end
  end else begin : gen_block
    (* ram_style = "block" *) logic [P*X_W-1:0] words[0:DEPTH-1];

    always_ff @(posedge clk) begin
      if (take) words[write_q] <= s_data;
    end

    always_ff @(posedge clk) begin
      if (en) word_q <= words[addr_q];
    end
  end

endmodule

`default_nettype wire
