// dsp48e2 - the part of a DSP48E2 (UG579) that n2f_pair_slice uses, for benches that compile with SYNTHESIS: inputs, the
//           pre-adder, the product and the sum, each behind as many registers as the parameters say.
`default_nettype none

module DSP48E2 #(
    parameter        AMULTSEL      = "A",
    parameter int    AREG          = 1,
    parameter int    ACASCREG      = 1,
    parameter int    DREG          = 1,
    parameter int    ADREG         = 1,
    parameter int    BREG          = 1,
    parameter int    BCASCREG      = 1,
    parameter int    MREG          = 1,
    parameter int    PREG          = 1,
    parameter int    CREG          = 1,
    parameter int    ALUMODEREG    = 1,
    parameter int    CARRYINREG    = 1,
    parameter int    CARRYINSELREG = 1,
    parameter int    INMODEREG     = 1,
    parameter int    OPMODEREG     = 1,
    parameter [47:0] RND           = 48'd0,
    parameter        USE_MULT      = "MULTIPLY"
) (
    input  wire logic        CLK,
    input  wire logic [29:0] A,
    input  wire logic [17:0] B,
    input  wire logic [47:0] C,
    input  wire logic [26:0] D,
    input  wire logic [47:0] PCIN,
    output      logic [47:0] PCOUT,
    output      logic [47:0] P,
    input  wire logic [4:0]  INMODE,
    input  wire logic [8:0]  OPMODE,
    input  wire logic [3:0]  ALUMODE,
    input  wire logic        CARRYIN,
    input  wire logic [2:0]  CARRYINSEL,
    input  wire logic [29:0] ACIN,
    input  wire logic [17:0] BCIN,
    input  wire logic        CARRYCASCIN, MULTSIGNIN,
    input  wire logic        CEA1, CEA2, CEAD, CEB1, CEB2, CEC, CED, CEM, CEP, CEALUMODE, CECARRYIN, CECTRL, CEINMODE,
    input  wire logic        RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP
);

  initial begin
    if (AREG != 1 || ACASCREG != 1 || DREG != 1 || ADREG != 1 || BREG != 2 || BCASCREG != 2 || MREG != 1 || PREG != 1)
      $fatal(1, "DSP48E2: registers that this model does not have");
    if (CREG != 0 || ALUMODEREG != 0 || CARRYINREG != 0 || CARRYINSELREG != 0 || INMODEREG != 0 || OPMODEREG != 0)
      $fatal(1, "DSP48E2: registers of control that this model does not have");
    if (AMULTSEL != "AD" || USE_MULT != "MULTIPLY") $fatal(1, "DSP48E2: a multiplier that this model does not have");
  end

  logic signed [26:0] a2_q, d_q, ad_q;
  logic signed [17:0] b1_q, b2_q;
  logic signed [44:0] m_q;
  logic [47:0] p_q, w, z, xy;

  // OPMODE: W at 8:7, Z at 6:4, Y at 3:2, X at 1:0; X and Y are the product together.
  assign w  = OPMODE[8:7] == 2'b00 ? 48'd0 : OPMODE[8:7] == 2'b01 ? p_q : OPMODE[8:7] == 2'b10 ? RND : C;
  assign z  = OPMODE[6:4] == 3'b000 ? 48'd0 : OPMODE[6:4] == 3'b001 ? PCIN : OPMODE[6:4] == 3'b011 ? C : 48'hx;
  assign xy = OPMODE[3:0] == 4'b0101 ? 48'(m_q) : 48'hx;

  always_ff @(posedge CLK) begin
    if (CEA2) a2_q <= A[26:0];
    if (CED) d_q <= D;
    if (CEAD) ad_q <= INMODE[3:0] == 4'b0100 ? d_q + a2_q : 27'sdx;
    if (CEB1) b1_q <= B;
    if (CEB2) b2_q <= b1_q;
    if (CEM) m_q <= 45'(ad_q) * 45'(INMODE[4] ? b1_q : b2_q);
    if (CEP) p_q <= ALUMODE == 4'b0000 ? w + z + xy + 48'(CARRYIN) : 48'hx;
  end

  assign P     = p_q;
  assign PCOUT = p_q;

endmodule

`default_nettype wire
