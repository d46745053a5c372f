// tiny_top - net as a kernel with AXI4-Stream in and out.
//
// Made by nn2fpga VERSION from tiny.onnx; changes here are lost.
// Numbers   a packet is one inference: the input tensors one after the other, each code little-endian in its
//           container; manifest.json has the layout. The same for the results.
// Stream    s_axis: 1 beat of 2 bytes a packet. m_axis: 1 beat of 2 bytes, tlast on the last.
// Latency   3 cycles from the first beat in to the last beat out.
// Interval  1 cycle between the starts of two inferences.
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

  // unrolled logic, 3 registers deep
  logic s0_en;
  n2f_pipe_valid #(
      .STAGES(3)
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

  n2f_axis_pack #(
      .BEATS (1),
      .BEAT_W(16)
  ) u_pack (
      .clk          (clk),
      .rst          (rst),
      .s_data       (v1_data),
      .s_valid      (v1_valid),
      .s_ready      (v1_ready),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast (m_axis_tlast)
  );

endmodule

`default_nettype wire
