import type { Resources } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import type { LayerPlan, StreamDesign } from "../../design/index.ts";
import { windowLinePlan } from "../../hwlib/index.ts";
import type { Graph, OpValue, Registry } from "../../ir/index.ts";
import { CostModel } from "../cost-model.ts";
import { levelsForClock } from "../levels.ts";
import { engineCost, networkCost } from "./cost.ts";
import { dataflowOf } from "./dataflow.ts";
import { sizeFifos } from "./depths.ts";
import type { EngineLayer } from "./engine-layer.ts";
import type { LayerFolding } from "./folding.ts";
import { type Lowered, lowerGraph } from "./lower/lower-graph.ts";
import { type Folding, fits, solveFolding } from "./solve.ts";
import { type Budget, budgetKinds, type Target } from "./target.ts";
import { planUnits, type Unit } from "./units.ts";
import { windowGeometry } from "./window-layer.ts";

export interface StreamOptions {
  readonly clockMhz: number;
  readonly maxLevels?: number;
  readonly target: Target;
  /** Inferences a second that are wanted; absent: as many as the target allows. */
  readonly targetFps?: number;
  /** By node name or value name of the user's model. */
  readonly layers?: ReadonlyMap<string, LayerFolding>;
  readonly onProgress?: (step: string) => void;
}

/** LUTs that one block RAM is worth, about their ratio on the devices. */
const lutsPerBlockRam = 500;

/** Whether a FIFO is cheaper in block RAM. */
function wantsBlockRam(widthBits: number, depth: number): boolean {
  const luts = widthBits * Math.ceil(depth / 32) * 0.58;
  return luts > lutsPerBlockRam * Math.ceil(widthBits / 36) * Math.max(1, depth / 1024);
}

/** Attempts to find a folding whose measured interval is the wanted one, and whose whole fits the budget. */
const attempts = 6;

/**
 * Plans the streaming architecture for a quantized graph: folds each layer, joins the engines by FIFOs, and
 * finds their depths, the latency and the interval by running the handshakes of the whole network.
 *
 * @throws N2F_DESIGN_SIZE where nothing fits the target; N2F_OP_UNSUPPORTED for what cannot be streamed
 */
export function scheduleStream(
  graph: Graph,
  ops: Registry,
  top: string,
  options: StreamOptions,
): StreamDesign {
  const { clockMhz, target, targetFps, onProgress = () => {} } = options;
  const maxLevels = options.maxLevels ?? levelsForClock(clockMhz);
  const model = new CostModel();
  const units = planUnits(graph, ops);
  const layers = [...new Set(units.values())].flatMap((unit) =>
    unit.kind === "engine" ? [unit.layer] : [],
  );
  const asked = (layer: EngineLayer) =>
    options.layers?.get(layer.origin.node) ?? options.layers?.get(layer.id) ?? {};
  const leastInterval = slowestWindow(units, graph);
  const wanted = targetFps === undefined ? undefined : Math.floor((clockMhz * 1e6) / targetFps);
  let budget = target.budget;
  let goal = wanted;
  for (let attempt = 1; ; attempt++) {
    onProgress("folding the layers");
    const problem = { layers, asked, cost: engineCost(model), budget, leastInterval };
    const folding = solveFolding(
      goal === undefined ? problem : { ...problem, wantedInterval: goal },
    );
    if ("kind" in folding) return refuse(folding.kind, folding, graph, target);
    if (wanted !== undefined && leastInterval > wanted)
      return refuseRate(wanted, leastInterval, graph, clockMhz);
    onProgress("joining the engines");
    const draft = lower(graph, ops, units, folding, maxLevels);
    const shallow = networkCost(model, draft.network);
    if (!fits(shallow, target.budget) && attempt < attempts) {
      budget = without(target.budget, shallow, folding.total);
      continue;
    }
    const design = build(graph, top, draft, folding, maxLevels, options);
    const total = networkCost(model, design);
    const isFitting = fits(total, target.budget);
    const isFast = wanted === undefined || design.intervalCycles <= wanted;
    if ((isFitting && isFast) || attempt === attempts) {
      if (!isFitting) reportMisfit(total, target, graph);
      if (wanted !== undefined && !isFast)
        return refuseRate(wanted, design.intervalCycles, graph, clockMhz);
      return design;
    }
    if (!isFitting) budget = without(target.budget, total, folding.total);
    if (wanted !== undefined && !isFast)
      goal = Math.floor(((goal ?? wanted) * wanted) / design.intervalCycles);
  }
}

/** What the engines may take, when the rest of the design takes what it took. */
function without(budget: Budget, total: Resources, engines: Resources): Budget {
  const left = budgetKinds.map((kind) => [
    kind,
    Math.max(0, Math.floor(budget[kind] - (total[kind] - engines[kind]) * 1.02)),
  ]);
  return Object.fromEntries(left) as Budget;
}

function lower(
  graph: Graph,
  ops: Registry,
  units: ReturnType<typeof planUnits>,
  folding: Folding,
  maxLevels: number,
): Lowered {
  const point = (layer: EngineLayer) => {
    const chosen = folding.points.get(layer);
    if (chosen === undefined) throw new Error(`${layer.id} was not folded`);
    return chosen;
  };
  return lowerGraph(graph, ops, units, {
    interval: Math.max(1, folding.interval),
    maxLevels,
    point,
  });
}

function build(
  graph: Graph,
  top: string,
  { network, input, output }: Lowered,
  folding: Folding,
  maxLevels: number,
  options: StreamOptions,
): StreamDesign {
  const { clockMhz, target, onProgress = () => {} } = options;
  const interval = Math.max(1, folding.interval);
  onProgress("sizing the FIFOs");
  const flow = dataflowOf(network);
  const widths = network.edges.map(({ lanes, widthBits }) => lanes * widthBits);
  const sized = sizeFifos(flow, widths, interval, 4 * interval + 20_000);
  const edges = network.edges.map((edge, at) => {
    const depth = sized.depths[at];
    return { ...edge, depth, isBlockRam: wantsBlockRam(widths[at], depth) };
  });
  const plans = [...folding.points].map(
    ([layer, { pe, simd, cycles, cost, isParallel }]): LayerPlan => ({
      name: layer.id,
      origin: layer.origin,
      kind: layer.kind,
      pe,
      simd,
      cycles,
      products: layer.vectors * layer.k * layer.n,
      multipliers: pe * (layer.kind === "depthwise" ? (isParallel ? layer.k : 1) : simd),
      resources: { ...cost, uram: 0 },
    }),
  );
  return {
    name: graph.name,
    top,
    architecture: "stream",
    clockMhz,
    maxLevels,
    reuse: 1,
    input,
    output,
    latencyCycles: sized.latencyCycles,
    intervalCycles: sized.intervalCycles,
    nodes: network.nodes,
    edges,
    memories: network.memories,
    layers: plans,
    target: target.name,
  };
}

/** Cycles that some window needs although nothing is multiplied: a pixel in each. */
function slowestWindow(units: ReturnType<typeof planUnits>, graph: Graph): number {
  let least = 1;
  for (const unit of new Set<Unit>(units.values())) {
    if (unit.kind === "engine" && unit.layer.window !== undefined) {
      least = Math.max(least, stepsOfWindow(unit.value, graph));
    } else if (
      unit.kind === "module" &&
      (unit.value.op === "max_pool" || unit.value.op === "sum_pool")
    ) {
      least = Math.max(least, stepsOfWindow(unit.value, graph));
    }
  }
  return least;
}

function stepsOfWindow(value: OpValue, graph: Graph): number {
  const x = graph.values.get(value.args[0]);
  const geometry = windowGeometry(value, x?.shape ?? []);
  return windowLinePlan({ ...geometry, X_W: 1, PAD: 0, COLS: 1, STYLE: 0 }).steps;
}

const names = { lut: "LUT", ff: "FF", dsp: "DSP", bram36: "BRAM36" } as const;

function refuse(
  kind: keyof typeof names,
  { needed, available, interval }: { needed: number; available: number; interval: number },
  graph: Graph,
  target: Target,
): never {
  const message = Number.isFinite(needed)
    ? `even at one inference in ${interval} cycles the engines need ${Math.ceil(needed)} ${names[kind]}; ${target.title} gives ${available}`
    : `no folding finishes an inference in ${interval} cycles`;
  return fail("N2F_DESIGN_SIZE", message, {
    at: graph.name,
    hint: "Give a larger --target, fewer bits (--precision), or a lower --target-fps.",
  });
}

function reportMisfit(total: Resources, target: Target, graph: Graph): never {
  const over = budgetKinds.filter((kind) => total[kind] > target.budget[kind]);
  const text = over
    .map(
      (kind) =>
        `${Math.ceil(total[kind])} ${names[kind]} of ${target.budget[kind]} (${Math.ceil(total[kind] - target.budget[kind])} too many)`,
    )
    .join(", ");
  return fail("N2F_DESIGN_SIZE", `the design does not fit ${target.title}: it needs ${text}`, {
    at: graph.name,
    hint: "Give a larger --target, fewer bits (--precision), or a --target-fps that leaves the layers more cycles.",
  });
}

function refuseRate(wanted: number, interval: number, graph: Graph, clockMhz: number): never {
  const rate = Math.floor((clockMhz * 1e6) / interval);
  return fail(
    "N2F_DESIGN_SIZE",
    `an inference in ${wanted} cycles is wanted; ${interval} cycles are the least that was reached`,
    {
      at: graph.name,
      hint: `Ask for --target-fps ${rate} or less, or raise --clock-mhz: windows take one pixel in a cycle.`,
    },
  );
}
