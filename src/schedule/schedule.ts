import { fail } from "../base/index.ts";
import type { ParallelDesign, Segment, StreamElement, StreamPlan } from "../design/index.ts";
import { containerBytes } from "../fixed/index.ts";
import { axisPack, axisUnpack, matvec } from "../hwlib/index.ts";
import {
  foldCodes,
  type Graph,
  getValue,
  inputsOf,
  isProduct,
  type OpValue,
  quantOf,
  type Registry,
  type ValueId,
  weightMatrices,
} from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";
import { planChain } from "./chain.ts";
import { levelsForClock } from "./levels.ts";
import type { LayerFolding } from "./stream/folding.ts";

export interface ScheduleOptions {
  readonly clockMhz: number;
  /** Levels of logic between two registers, at least 2. Absent: what the clock leaves time for. */
  readonly maxLevels?: number;
  /** Cycles that a matrix product may take; 1 unrolls it. */
  readonly reuse: number;
  /** By node name or value name of the user's model; overrides `reuse`. */
  readonly layerReuse: ReadonlyMap<string, number>;
  /** Absent: `auto`. */
  readonly architecture?: "parallel" | "stream" | "auto";
  /** A device of `hw/targets`, or a file; of streams alone. */
  readonly target?: string;
  /** Inferences a second that are wanted of a stream; absent: as many as the target allows. */
  readonly targetFps?: number;
  /** Foldings of a stream's layers that the user wants, by node name or value name. */
  readonly layers?: ReadonlyMap<string, LayerFolding>;
}

/** The widest AXI4-Stream that is made where the interval allows several beats. */
const beatLimitBytes = 64;

/** Products of weights above which an unrolled design is refused: it would fit no device. */
const unrollLimit = 2_000_000;

/**
 * Plans the parallel architecture for a quantized graph: what is unrolled, what is folded, where registers
 * stand; and so latency and interval, exactly.
 *
 * @throws N2F_DESIGN_SIZE where too much would be unrolled
 */
export function scheduleParallel(
  whole: Graph,
  ops: Registry,
  top: string,
  options: ScheduleOptions,
): ParallelDesign {
  const { clockMhz, reuse } = options;
  // Loops are unrolled: their first steps begin with constants, mostly.
  const graph = foldCodes(whole, ops);
  const maxLevels = options.maxLevels ?? levelsForClock(clockMhz);
  const reuseOf = (value: OpValue) =>
    options.layerReuse.get(value.origin.node) ?? options.layerReuse.get(value.id) ?? reuse;
  checkSize(graph, reuseOf);
  const inputs = streamElements(
    graph,
    inputsOf(graph).map((value) => value.id),
  );
  const outputs = streamElements(
    graph,
    graph.outputs.map(({ value }) => value),
  );
  const segments = planChain(graph, ops, inputs, outputs, { maxLevels, reuseOf });

  const engineInterval = segments.reduce((top_, segment) => Math.max(top_, intervalOf(segment)), 1);
  const input = planStream(inputs, engineInterval);
  const output = planStream(outputs, engineInterval);
  const unpack = { BEATS: input.beats, BEAT_W: input.beatBytes * 8 };
  const pack = { BEATS: output.beats, BEAT_W: output.beatBytes * 8 };
  const latencyCycles =
    axisUnpack.latencyCycles(unpack) +
    segments.reduce((sum, segment) => sum + latencyOf(segment), 0) +
    axisPack.latencyCycles(pack);
  const intervalCycles = Math.max(
    engineInterval,
    axisUnpack.intervalCycles(unpack),
    axisPack.intervalCycles(pack),
  );
  return {
    name: graph.name,
    top,
    architecture: "parallel",
    clockMhz,
    maxLevels,
    reuse,
    input,
    output,
    segments,
    latencyCycles,
    intervalCycles,
  };
}

/** Cycles from a vector's arrival at a segment to its result. */
export function latencyOf(segment: Segment): number {
  return segment.kind === "pipeline" ? segment.timing.depth : matvec.latencyCycles(segment.params);
}

/** Cycles from one vector to the next. */
export function intervalOf(segment: Segment): number {
  return segment.kind === "pipeline" ? 1 : matvec.intervalCycles(segment.params);
}

/** Where the elements of some values stand in a packet: container after container. */
function streamElements(graph: Graph, ids: readonly ValueId[]): StreamElement[] {
  let offsetBits = 0;
  return ids.flatMap((id) => {
    const value = getValue(graph, id);
    const { format } = quantOf(value);
    const containerBits = containerBytes(format) * 8;
    return Array.from({ length: sizeOf(value.shape) }, () => {
      const element = { offsetBits, widthBits: format.width, signed: format.signed, containerBits };
      offsetBits += containerBits;
      return element;
    });
  });
}

/** As few beats as keep the stream within the limit, and no more than the interval has cycles. */
function planStream(elements: readonly StreamElement[], intervalCycles: number): StreamPlan {
  const bytes = elements.reduce((sum, element) => sum + element.containerBits / 8, 0);
  const beats = Math.min(intervalCycles, Math.ceil(bytes / beatLimitBytes));
  return { beats, beatBytes: beats === 1 ? bytes : Math.ceil(bytes / beats), elements };
}

function checkSize(graph: Graph, reuseOf: (value: OpValue) => number): void {
  let unrolled = 0;
  for (const value of graph.values.values()) {
    if (value.kind !== "op" || !isProduct(value.op)) continue;
    if (value.op === "matmul" && reuseOf(value) > 1) continue;
    const [x, w] = value.args.map((id) => getValue(graph, id));
    const k = weightMatrices(value.op, w.shape)?.rows ?? x.shape.at(-1) ?? 1;
    unrolled += sizeOf(value.shape) * k;
  }
  if (unrolled <= unrollLimit) return;
  fail(
    "N2F_DESIGN_SIZE",
    `unrolled, the network has ${unrolled} products; ${unrollLimit} are the limit`,
    {
      at: graph.name,
      hint: "Use --reuse R: the products are then folded onto fewer multipliers, at one inference in R cycles.",
    },
  );
}
