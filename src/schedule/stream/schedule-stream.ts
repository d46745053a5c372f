import type { Resources } from "../../artifact/index.ts";
import type { LayerPlan, StreamDesign } from "../../design/index.ts";
import { windowLinePlan } from "../../hwlib/index.ts";
import type { Graph, OpValue, Registry } from "../../ir/index.ts";
import { CostModel } from "../cost-model.ts";
import { levelsForClock } from "../levels.ts";
import { engineCost, networkCost } from "./cost.ts";
import { dataflowOf } from "./dataflow.ts";
import { sizeFifos } from "./depths.ts";
import type { EngineLayer } from "./engine-layer.ts";
import { fitNetwork } from "./fit.ts";
import type { LayerFolding } from "./folding.ts";
import { type Lowered, lowerGraph } from "./lower/lower-graph.ts";
import { refuseMisfit, refuseRate } from "./refusals.ts";
import { type Folding, type FoldingProblem, fits, isMisfit } from "./solve.ts";
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

/** Attempts to find a network that fits and is fast enough with its FIFOs, whose depths are known last. */
const attempts = 5;

/**
 * Plans the streaming architecture for a quantized graph: folds each layer, joins the engines by FIFOs, and
 * finds their depths, the latency and the interval by running the handshakes of the whole network.
 *
 * @throws N2F_DESIGN_SIZE where nothing fits the target; N2F_DESIGN_DEADLOCK where FIFOs that are set by hand
 *   are too small; N2F_OP_UNSUPPORTED for what cannot be streamed
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
  if (wanted !== undefined && leastInterval > wanted)
    return refuseRate(wanted, leastInterval, { graph, clockMhz });
  const lay = (folding: Folding) => {
    onProgress(`folding the layers: an inference in ${folding.interval} cycles`);
    const network = lower(graph, ops, units, folding, maxLevels);
    return { network, total: networkCost(model, network.network) };
  };
  const cost = engineCost(model);
  let problem: FoldingProblem = { layers, asked, cost, budget: target.budget, leastInterval };
  if (wanted !== undefined) problem = { ...problem, wantedInterval: wanted };
  onProgress("folding the layers");
  for (let attempt = 1; ; attempt++) {
    const fitted = fitNetwork(problem, lay);
    if (isMisfit(fitted)) return refuseMisfit(fitted, { graph, target, clockMhz, problem });
    const { folding } = fitted;
    const design = build(graph, top, fitted.network, folding, maxLevels, options);
    const total = networkCost(model, design);
    const isFitting = fits(total, target.budget);
    const isFast = wanted === undefined || design.intervalCycles <= wanted;
    if (isFitting && isFast) return design;
    if (attempt === attempts) {
      if (wanted !== undefined && !isFast)
        return refuseRate(wanted, design.intervalCycles, { graph, clockMhz });
      const misfit = { interval: folding.interval, nearest: total };
      const whole = { ...problem, budget: target.budget };
      return refuseMisfit(misfit, { graph, target, clockMhz, problem: whole });
    }
    if (!isFitting) {
      const budget = withoutFifos(target.budget, total, fitted.total);
      // With less room no interval is shorter.
      problem = { ...problem, budget, leastInterval: Math.max(leastInterval, folding.interval) };
      if (wanted !== undefined) problem = { ...problem, leastInterval };
    }
    if (wanted !== undefined && !isFast) {
      const goal = problem.wantedInterval ?? wanted;
      const wantedInterval = Math.floor((goal * wanted) / design.intervalCycles);
      problem = { ...problem, wantedInterval };
    }
  }
}

/** What is left for the rest when FIFOs take what they took. */
function withoutFifos(budget: Budget, total: Resources, shallow: Resources): Budget {
  const left = budgetKinds.map((kind) => [
    kind,
    Math.max(0, budget[kind] - Math.ceil((total[kind] - shallow[kind]) * 1.02)),
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
