// tiny_top - net as a kernel with AXI4-Stream in and out.
//
// Made by nn2fpga VERSION from tiny.onnx; changes here are lost.
// Numbers   a packet is one inference: the input tensors one after the other, each code little-endian in its
//           container; manifest.json has the layout. The same for the results.
// Stream    s_axis: 1 beat of 2 bytes a packet. m_axis: 1 beat of 2 bytes, tlast on the last.
// Latency   21 cycles from the first beat in to the last beat out.
// Interval  6 cycles between the starts of two inferences.
// Reset     rst is synchronous and active high.
`default_nettype none

module tiny_top (
    input  wire logic clk,
    input  wire logic rst,

    input  wire logic [15:0] s_axis_tdata,
    input  wire logic s_axis_tvalid,
    output      logic s_axis_tready,
    input  wire logic s_axis_tlast,

    output      logic [15:0] m_axis_tdata,
    output      logic m_axis_tvalid,
    input  wire logic m_axis_tready,
    output      logic m_axis_tlast
);

  logic [15:0] v0_data;
  logic v0_valid;
  logic v0_ready;
  logic [15:0] v1_data;
  logic v1_valid;
  logic v1_ready;
  logic [32:0] v2_data;
  logic v2_valid;
  logic v2_ready;
  logic [23:0] v3_data;
  logic v3_valid;
  logic v3_ready;
  logic [23:0] v4_data;
  logic v4_valid;
  logic v4_ready;
  logic [15:0] v5_data;
  logic v5_valid;
  logic v5_ready;

  // A packet of the wrong length cannot be helped here; the signal is for a logic analyser.
  logic packet_error;
  wire unused_packet_error = &{1'b0, packet_error};
  n2f_axis_unpack #(
      .BEATS (1),
      .BEAT_W(16)
  ) u_unpack (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .s_axis_tlast (s_axis_tlast),
      .m_data       (v0_data),
      .m_valid      (v0_valid),
      .m_ready      (v0_ready),
      .packet_error (packet_error)
  );

  // unrolled logic, 1 register deep
  logic s0_en;
  n2f_pipe_valid #(
      .STAGES(1)
  ) u_s0_valid (
      .clk    (clk),
      .rst    (rst),
      .s_valid(v0_valid),
      .s_ready(v0_ready),
      .m_valid(v1_valid),
      .m_ready(v1_ready),
      .en     (s0_en)
  );
  tiny_top_s0 u_s0 (
      .clk(clk),
      .en (s0_en),
      .x  (v0_data),
      .y  (v1_data)
  );

  // fc1 (Gemm), folded onto 1 multiplier
  logic unused_s1_pass;
  n2f_matvec #(
      .ROWS(1),
      .K_STEPS(2),
      .SIMD(1),
      .N_STEPS(3),
      .PE(1),
      .X_W(8),
      .X_SIGNED(1'b1),
      .W_W(4),
      .ACC_W(11),
      .PASS_W(1),
      .WEIGHTS("s1_weights.hex"),
      .BIAS("s1_bias.hex")
  ) u_s1 (
      .clk    (clk),
      .rst    (rst),
      .s_valid(v1_valid),
      .s_ready(v1_ready),
      .s_data (v1_data[15:0]),
      .s_pass (1'b0),
      .m_valid(v2_valid),
      .m_ready(v2_ready),
      .m_data (v2_data[32:0]),
      .m_pass (unused_s1_pass)
  );

  // unrolled logic, 1 register deep
  logic s2_en;
  n2f_pipe_valid #(
      .STAGES(1)
  ) u_s2_valid (
      .clk    (clk),
      .rst    (rst),
      .s_valid(v2_valid),
      .s_ready(v2_ready),
      .m_valid(v3_valid),
      .m_ready(v3_ready),
      .en     (s2_en)
  );
  tiny_top_s2 u_s2 (
      .clk(clk),
      .en (s2_en),
      .x  (v2_data),
      .y  (v3_data)
  );

  // fc2 (Gemm), folded onto 1 multiplier
  logic unused_s3_pass;
  n2f_matvec #(
      .ROWS(1),
      .K_STEPS(3),
      .SIMD(1),
      .N_STEPS(2),
      .PE(1),
      .X_W(8),
      .X_SIGNED(1'b1),
      .W_W(4),
      .ACC_W(12),
      .PASS_W(1),
      .WEIGHTS("s3_weights.hex"),
      .BIAS("s3_bias.hex")
  ) u_s3 (
      .clk    (clk),
      .rst    (rst),
      .s_valid(v3_valid),
      .s_ready(v3_ready),
      .s_data (v3_data[23:0]),
      .s_pass (1'b0),
      .m_valid(v4_valid),
      .m_ready(v4_ready),
      .m_data (v4_data[23:0]),
      .m_pass (unused_s3_pass)
  );

  // unrolled logic, 1 register deep
  logic s4_en;
  n2f_pipe_valid #(
      .STAGES(1)
  ) u_s4_valid (
      .clk    (clk),
      .rst    (rst),
      .s_valid(v4_valid),
      .s_ready(v4_ready),
      .m_valid(v5_valid),
      .m_ready(v5_ready),
      .en     (s4_en)
  );
  tiny_top_s4 u_s4 (
      .clk(clk),
      .en (s4_en),
      .x  (v4_data),
      .y  (v5_data)
  );

  n2f_axis_pack #(
      .BEATS (1),
      .BEAT_W(16)
  ) u_pack (
      .clk          (clk),
      .rst          (rst),
      .s_data       (v5_data),
      .s_valid      (v5_valid),
      .s_ready      (v5_ready),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast (m_axis_tlast)
  );

endmodule

`default_nettype wire
