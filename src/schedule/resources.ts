import type { Resources } from "../artifact/index.ts";
import type { Design, EngineSegment, ParallelDesign } from "../design/index.ts";
import { CostModel, resourceKinds } from "./cost-model.ts";
import { addPipeline } from "./pipeline-cost.ts";
import { networkCost } from "./stream/cost.ts";

/** What a design takes of an UltraScale+ device, rounded up. Checked against Yosys in docs/resources.md. */
export function estimateResources(design: Design): Resources {
  const model = new CostModel();
  if (design.architecture === "stream") return networkCost(model, design);
  const total = { lut: 0, ff: 0, dsp: 0, bram36: 0 };
  const add = (cost: Resources) => {
    for (const kind of resourceKinds) total[kind] += cost[kind];
  };
  for (const segment of design.segments) {
    if (segment.kind === "engine") add(engineCost(model, segment));
    else addPipeline(model, segment, add);
  }
  add(streamCost(design));
  const { lut, ff, dsp, bram36 } = total;
  return {
    lut: Math.ceil(lut),
    ff: Math.ceil(ff),
    dsp: Math.ceil(dsp),
    bram36: Math.ceil(bram36 * 2) / 2,
  };
}

function engineCost(
  model: CostModel,
  { params, inputBits, outputBits, passBits }: EngineSegment,
): Resources {
  return model.engine({
    multipliers: params.PE * params.SIMD,
    lanes: params.PE,
    simd: params.SIMD,
    depth: params.K_STEPS * params.N_STEPS,
    word: params.PE * params.SIMD * params.W_W,
    operand: inputBits - passBits,
    result: outputBits - passBits,
    pass: passBits,
    acc: params.ACC_W,
    x: params.X_W,
    w: params.W_W,
  });
}

/** The registers of packets of several beats. */
function streamCost({ input, output }: ParallelDesign): Resources {
  const bits = ({ beats, beatBytes }: ParallelDesign["input"]) =>
    beats > 1 ? (beats - 1) * beatBytes * 8 : 0;
  const outBits = output.beats > 1 ? output.beats * output.beatBytes * 8 : 0;
  return { lut: outBits, ff: bits(input) + outBits, dsp: 0, bram36: 0 };
}
