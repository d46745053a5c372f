import { join } from "node:path";
import {
  type Bundle,
  layOutPorts,
  type Manifest,
  manifestVersion,
  packetBytes,
  readBundle,
  writeBundle,
} from "../../src/artifact/index.ts";
import { emitSimulation } from "../../src/emit/sim/index.ts";
import { makeFormat } from "../../src/fixed/index.ts";

/** What is wrong with a kernel on purpose. */
export type Fault =
  | "none"
  | "drops valid"
  | "changes data"
  | "no tlast"
  | "stops"
  | "answers twice"
  | "answers first";

export interface SimDesign {
  readonly beats: number;
  readonly beatBytes: number;
  /** Bytes of a packet; the rest of the last beat is padding. */
  readonly packetBytes: number;
  readonly fault: Fault;
}

/** Packets after which a kernel with the fault "stops" takes no more. */
export const packetsUntilStop = 5;
export const pipelineDepth = 3;

/** Each beat is one number x of all its bits; the answer is 3x + 1, three cycles later. */
export function answerOf(design: SimDesign, packets: Uint8Array, count: number): Uint8Array {
  const { beats, beatBytes, packetBytes: size } = design;
  const answers = new Uint8Array(size * count);
  for (let i = 0; i < count; i++) {
    const padded = new Uint8Array(beats * beatBytes);
    padded.set(packets.subarray(i * size, (i + 1) * size));
    for (let beat = 0; beat < beats; beat++) {
      const bytes = padded.subarray(beat * beatBytes, (beat + 1) * beatBytes);
      let x = 0n;
      for (const byte of Array.from(bytes).reverse()) x = (x << 8n) | BigInt(byte);
      let y = 3n * x + 1n;
      for (let k = 0; k < beatBytes; k++, y >>= 8n) bytes[k] = Number(y & 255n);
    }
    answers.set(padded.subarray(0, size), i * size);
  }
  return answers;
}

/** A bundle of a hand-written kernel, with nothing in it but what simulators need. */
export function simBundle(
  folder: string,
  design: SimDesign,
  replace: Record<string, string> = {},
): Bundle {
  const { beats, beatBytes } = design;
  const ports = (name: string) =>
    layOutPorts([
      {
        name,
        shape: [design.packetBytes],
        dtype: "float",
        precision: { format: makeFormat(false, 8, 0), rounding: "RND", overflow: "SAT" },
      },
    ]);
  const stream = { beats, beatBytes };
  const [inputs, outputs] = [ports("x"), ports("y")];
  const manifest: Omit<Manifest, "files"> = {
    manifestVersion,
    name: "triple",
    generator: "test",
    source: { file: "none.onnx", sha256: "0".repeat(64) },
    inputs,
    outputs,
    kernel: {
      architecture: "parallel",
      top: "triple",
      clockMhz: 100,
      reuse: 1,
      maxLevels: 2,
      inputStream: stream,
      outputStream: stream,
      predicted: { latencyCycles: pipelineDepth + beats - 1, intervalCycles: beats },
      resources: { lut: 0, ff: 0, dsp: 0, bram36: 0 },
      sources: ["triple.sv"],
    },
  };
  if (packetBytes(inputs) !== design.packetBytes) throw new Error("the packet has another size");
  const simulation = emitSimulation(
    { name: "triple", top: "triple", input: stream, output: stream } as Parameters<
      typeof emitSimulation
    >[0],
    "test",
  );
  const files = new Map<string, string>([
    ["rtl/triple.sv", verilog(design)],
    ["rtl/factor.hex", "3\n"],
    ...simulation,
    ...Object.entries(replace),
  ]);
  const path = join(
    folder,
    `${Object.keys(replace).length}-${JSON.stringify(design).replace(/\W+/g, "_")}`,
  );
  writeBundle(path, { manifest, files });
  return readBundle(path);
}

/** Three registers in a row that move together; the factor comes from a memory file. */
function verilog({ beats, beatBytes, fault }: SimDesign): string {
  const msb = beatBytes * 8 - 1;
  const is = (what: Fault) => (fault === what ? "1'b1" : "1'b0");
  return `\`default_nettype none
module triple (
    input  wire clk,
    input  wire rst,
    input  wire [${msb}:0] s_axis_tdata,
    input  wire s_axis_tvalid,
    output wire s_axis_tready,
    input  wire s_axis_tlast,
    output wire [${msb}:0] m_axis_tdata,
    output wire m_axis_tvalid,
    input  wire m_axis_tready,
    output wire m_axis_tlast
);
  reg [7:0] factor[0:0];
  initial $readmemh("factor.hex", factor);

  reg [${msb}:0] d1, d2, d3;
  reg [2:0] valid, last;
  reg phase, twice;
  reg [31:0] accepted, waited;
  wire en = !valid[2] || (m_axis_tready && m_axis_tvalid && !(${is("answers twice")} && !twice));
  wire stopped = ${is("stops")} && accepted >= ${packetsUntilStop * beats};
  assign s_axis_tready = en && !stopped;
  assign m_axis_tvalid = valid[2] && !(${is("drops valid")} && phase);
  assign m_axis_tdata = d3 ^ (${is("changes data")} ? {${msb + 1}{waited[0]}} : {${msb + 1}{1'b0}});
  assign m_axis_tlast = last[2] && !${is("no tlast")};

  always @(posedge clk) begin
    phase <= !phase;
    waited <= m_axis_tvalid && !m_axis_tready ? waited + 1 : 0;
    twice <= m_axis_tvalid && m_axis_tready && !twice;
    if (en) begin
      valid <= {valid[1:0], s_axis_tvalid && s_axis_tready};
      last <= {last[1:0], s_axis_tlast};
      d1 <= s_axis_tdata * factor[0];
      d2 <= d1 + 1'b1;
      d3 <= d2;
    end
    if (s_axis_tvalid && s_axis_tready) accepted <= accepted + 1;
    if (rst) begin
      valid <= {1'b0, ${is("answers first")}, 1'b0};
      last <= {1'b0, ${is("answers first")}, 1'b0};
      phase <= 1'b0;
      twice <= 1'b0;
      accepted <= 0;
      waited <= 0;
      d1 <= 0;
      d2 <= 0;
      d3 <= 0;
    end
  end
endmodule
\`default_nettype wire
`;
}
