import type { EngineSegment, ParallelDesign, PipelineSegment } from "../../design/index.ts";
import { parameterText } from "../../hwlib/index.ts";
import { originText } from "../../ir/index.ts";

/** View of `verilog/top.sv.hbs`. Vector v0 comes from the input stream, v1 from the first segment, ... */
export interface TopView {
  readonly module: string;
  readonly network: string;
  readonly generator: string;
  readonly source: string;
  readonly inputBeats: string;
  readonly inputBytes: string;
  readonly outputBeats: string;
  readonly outputBytes: string;
  readonly latency: string;
  readonly interval: string;
  readonly inputBeatMsb: string;
  readonly outputBeatMsb: string;
  readonly unpackBeats: string;
  readonly unpackBits: string;
  readonly packBeats: string;
  readonly packBits: string;
  readonly packData: string;
  readonly last: string;
  readonly vectors: readonly {
    readonly name: string;
    readonly msb: string;
    /** Whether the next segment leaves its top bits alone. */
    readonly isPadded: boolean;
  }[];
  readonly segments: readonly SegmentView[];
}

interface SegmentView {
  readonly isPipeline: boolean;
  readonly isClocked: boolean;
  readonly title: string;
  readonly name: string;
  readonly module: string;
  readonly stages: string;
  readonly from: string;
  readonly fromSlice: string;
  readonly to: string;
  readonly hasPass: boolean;
  readonly parameters: readonly string[];
  readonly operandMsb: string;
  readonly resultMsb: string;
  readonly passIn: string;
  readonly passOut: string;
}

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;

export function topView(design: ParallelDesign, source: string, generator: string): TopView {
  const { input, output, segments } = design;
  const packetBits = input.beats * input.beatBytes * 8;
  const widths = [packetBits, ...segments.map((segment) => segment.outputBits)];
  const last = `v${segments.length}`;
  const lastBits = widths[segments.length];
  const padding = output.beats * output.beatBytes * 8 - lastBits;
  return {
    module: design.top,
    network: design.name,
    generator,
    source,
    inputBeats: count(input.beats, "beat"),
    inputBytes: String(input.beatBytes),
    outputBeats: count(output.beats, "beat"),
    outputBytes: String(output.beatBytes),
    latency: String(design.latencyCycles),
    interval: count(design.intervalCycles, "cycle"),
    inputBeatMsb: String(input.beatBytes * 8 - 1),
    outputBeatMsb: String(output.beatBytes * 8 - 1),
    unpackBeats: String(input.beats),
    unpackBits: String(input.beatBytes * 8),
    packBeats: String(output.beats),
    packBits: String(output.beatBytes * 8),
    packData: padding > 0 ? `{${padding}'h0, ${last}_data}` : `${last}_data`,
    last,
    vectors: widths.map((bits, i) => ({
      name: `v${i}`,
      msb: String(bits - 1),
      isPadded: i < segments.length && segments[i].inputBits < bits,
    })),
    segments: segments.map((segment, i) => {
      const place = {
        name: segment.name,
        module: `${design.top}_${segment.name}`,
        from: `v${i}`,
        fromSlice: segment.inputBits < widths[i] ? `[${segment.inputBits - 1}:0]` : "",
        to: `v${i + 1}`,
      };
      return segment.kind === "pipeline"
        ? { ...place, ...pipelinePart(segment) }
        : { ...place, ...enginePart(segment, place.from, place.to) };
    }),
  };
}

function pipelinePart({ timing }: PipelineSegment) {
  const { depth } = timing;
  return {
    isPipeline: true,
    isClocked: depth > 0,
    title: depth === 0 ? "wires alone" : `unrolled logic, ${count(depth, "register")} deep`,
    stages: String(depth),
    hasPass: false,
    parameters: [],
    operandMsb: "",
    resultMsb: "",
    passIn: "",
    passOut: "",
  };
}

function enginePart(
  { name, origin, params, passBits, inputBits, outputBits }: EngineSegment,
  from: string,
  to: string,
) {
  const entries = Object.entries(params);
  const hasPass = passBits > 0;
  const operandBits = inputBits - passBits;
  const resultBits = outputBits - passBits;
  return {
    isPipeline: false,
    isClocked: true,
    title: `${originText(origin)}, folded onto ${count(params.PE * params.SIMD, "multiplier")}`,
    stages: "",
    hasPass,
    parameters: entries.map(
      ([key, value], i) => `.${key}(${parameterText(value)})${i < entries.length - 1 ? "," : ""}`,
    ),
    operandMsb: String(operandBits - 1),
    resultMsb: String(resultBits - 1),
    passIn: hasPass ? `${from}_data[${inputBits - 1}:${operandBits}]` : "1'b0",
    passOut: hasPass ? `${to}_data[${outputBits - 1}:${resultBits}]` : `unused_${name}_pass`,
  };
}
