import type { Resources } from "../../artifact/index.ts";
import { Nn2fpgaError } from "../../base/index.ts";
import type { LayerPlan, LoopPlan, SlowestNode, StreamDesign } from "../../design/index.ts";
import { containerBytes } from "../../fixed/index.ts";
import {
  type Graph,
  getValue,
  inputsOf,
  type OpValue,
  quantOf,
  type Registry,
  type ValueId,
} from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { CostModel } from "../cost-model.ts";
import { levelsForClock } from "../levels.ts";
import { engineCost, networkCost } from "./cost.ts";
import type { EngineLayer } from "./engine-layer.ts";
import { type FifoPlan, planFifos } from "./fifos.ts";
import { fitNetwork } from "./fit.ts";
import type { LayerFolding } from "./folding.ts";
import { planLoops, withRounds } from "./loop-plans.ts";
import { rollLoops } from "./loops.ts";
import { widestBeatBits } from "./lower/context.ts";
import { type Lowered, lowerGraph } from "./lower/lower-graph.ts";
import type { NetworkBuilder } from "./network-builder.ts";
import { type Slowest, slowestNode } from "./pace.ts";
import { interleaveParts } from "./parts.ts";
import { refuseMisfit, refuseRate } from "./refusals.ts";
import { hurry, learnRounds, planRounds } from "./rounds.ts";
import { type Folding, type FoldingProblem, fits, isMisfit } from "./solve.ts";
import { type Budget, budgetKinds, type Target } from "./target.ts";
import { allUnits, planUnits, type Unit } from "./units.ts";
import { windowColumns, windowGeometry } from "./window-layer.ts";

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

/** Attempts to find a network that fits and is fast enough with its FIFOs, whose depths are known last. */
const attempts = 5;

/** Times that what loops need is learned from a network, and how well it is known when it is known well enough. */
const mostLessons = 3;
const foreseen = 0.02;
/** The share of the interval from which on a node sets the pace by itself. */
const nearly = 0.97;

/**
 * Plans the streaming architecture for a quantized graph: folds each layer, joins the engines by FIFOs, and
 * finds their depths, the latency and the interval by running the handshakes of the whole network. The steps of a
 * recurrent layer have a cell each, or share one: where a rate allows it, or where nothing else fits.
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
  const asked = ({ origin }: Pick<OpValue, "origin">) => options.layers?.get(origin.node)?.isStatic;
  const hasRate = options.targetFps !== undefined;
  const cut = interleaveParts(graph, ops);
  let isOpen = false;
  const plan = (otherwise: boolean, misfit?: string) => {
    const shares = (state: OpValue) => {
      if (asked(state) === undefined) isOpen = true;
      return asked(state) ?? otherwise;
    };
    const rolled = rollLoops(cut, ops, shares);
    const loops = planLoops(rolled, { asked, hasRate, ...(misfit && { misfit }) });
    const units = planUnits(rolled.graph, ops, rolled.loops);
    return scheduleUnits(rolled.graph, ops, top, units, loops, options);
  };
  // A rate is asked for: the cheaper first. None is: the faster.
  try {
    return plan(hasRate);
  } catch (error) {
    const [problem] = error instanceof Nn2fpgaError ? error.problems : [];
    if (problem?.code !== "N2F_DESIGN_SIZE" || !isOpen) throw error;
    return plan(!hasRate, problem.message);
  }
}

function scheduleUnits(
  graph: Graph,
  ops: Registry,
  top: string,
  units: ReadonlyMap<ValueId, Unit>,
  loops: readonly LoopPlan[],
  options: StreamOptions,
): StreamDesign {
  const { clockMhz, target, targetFps } = options;
  const onProgress = seldom(options.onProgress ?? (() => {}));
  const maxLevels = options.maxLevels ?? levelsForClock(clockMhz);
  const model = new CostModel();
  const layers = allUnits(units).flatMap((unit) => (unit.kind === "engine" ? [unit.layer] : []));
  const asked = (layer: EngineLayer) => ({
    ...(options.layers?.get(layer.origin.node) ?? options.layers?.get(layer.id)),
    hasPairs: target.hasPairs,
  });
  const least = [...slowestWindows(units, graph), packetCycles(graph)].reduce((a, b) =>
    b.cycles > a.cycles ? b : a,
  );
  const leastInterval = least.cycles;
  const wanted = targetFps === undefined ? undefined : Math.floor((clockMhz * 1e6) / targetFps);
  if (wanted !== undefined && leastInterval > wanted)
    return refuseRate(wanted, leastInterval, { graph, clockMhz, slowest: least.what });
  const fifoDepths = depthsByHand(graph, units, options.layers ?? new Map());
  const lay = (folding: Folding) => {
    onProgress(`folding the layers: an inference in ${folding.interval} cycles`);
    const network = lower(graph, ops, units, folding, maxLevels);
    return { network, total: networkCost(model, network.network) };
  };
  const cost = engineCost(model);
  let problem: FoldingProblem = { layers, asked, cost, budget: target.budget, leastInterval };
  if (wanted !== undefined) problem = { ...problem, wantedInterval: wanted };
  let lessons = 0;
  const rounds = planRounds(allUnits(units), wanted !== undefined);
  if (rounds.size > 0) problem = { ...problem, rounds };
  onProgress("folding the layers");
  for (let attempt = 1; ; attempt++) {
    const fitted = fitNetwork(problem, lay);
    if (isMisfit(fitted)) return refuseMisfit(fitted, { graph, target, clockMhz, problem });
    const { folding } = fitted;
    const { network } = fitted.network;
    const slowest = slowestNode(network);
    if (wanted === undefined && slowest.cycles > folding.interval && attempt < attempts) {
      // Something that is not folded is slower: then cheaper foldings are as fast.
      problem = { ...problem, leastInterval: slowest.cycles };
      continue;
    }
    const interval = Math.max(1, folding.interval);
    const fifoOptions = { interval, model, budget: target.budget, asked: fifoDepths, onProgress };
    const plan = planFifos(network, fifoOptions);
    const { total, intervalCycles } = plan;
    // How long a state takes to come round is known only when its way is laid.
    const isForeseen = Math.abs(intervalCycles - interval) <= foreseen * interval;
    if (problem.rounds !== undefined && !isForeseen && lessons < mostLessons) {
      lessons++;
      attempt--;
      const learned = learnRounds(problem.rounds, folding.points, intervalCycles);
      problem = { ...problem, rounds: learned };
      continue;
    }
    const isFitting = fits(total, target.budget);
    const isFast = wanted === undefined || intervalCycles <= wanted;
    if (isFitting && isFast)
      return {
        ...describe(graph, top, fitted.network, folding, plan, maxLevels, options),
        slowest: whatIsSlowest(network, slowest),
        loops:
          problem.rounds === undefined || slowest.cycles > nearly * intervalCycles
            ? loops
            : withRounds(loops, problem.rounds, folding.points, intervalCycles),
      };
    if (attempt === attempts) {
      if (wanted !== undefined && !isFast)
        return refuseRate(wanted, intervalCycles, {
          graph,
          clockMhz,
          ...reasonOf(network, slowest),
        });
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
      const wantedInterval = Math.floor((goal * wanted) / intervalCycles);
      problem = { ...problem, wantedInterval };
      if (problem.rounds !== undefined) problem = { ...problem, rounds: hurry(problem.rounds) };
    }
  }
}

/** Tells a step at once, and how it gets on (behind a colon or comma) once in a second. */
function seldom(tell: (step: string) => void): (step: string) => void {
  let [last, told] = ["", 0];
  return (text) => {
    const [step] = text.split(/[:,]/);
    const now = performance.now();
    if (step === last && now - told < 1000) return;
    [last, told] = [step, now];
    tell(text);
  };
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

/** Named where it alone takes longer than the network may. */
function reasonOf(network: NetworkBuilder, slowest: Slowest): { readonly slowest?: string } {
  const { title, origin } = whatIsSlowest(network, slowest);
  return { slowest: `"${title}" (${origin.node}) takes ${slowest.cycles} cycles` };
}

function whatIsSlowest({ nodes }: NetworkBuilder, { node, cycles }: Slowest): SlowestNode {
  const { title, origin } = nodes[node];
  return { title, origin, cycles };
}

function describe(
  graph: Graph,
  top: string,
  { network, input, output }: Lowered,
  folding: Folding,
  { edges, latencyCycles, intervalCycles }: FifoPlan,
  maxLevels: number,
  { clockMhz, target }: StreamOptions,
): Omit<StreamDesign, "slowest" | "loops"> {
  const plans = [...folding.points].map(
    ([layer, { pe, simd, rows, cycles, cost, isParallel }]): LayerPlan => ({
      name: layer.id,
      origin: layer.origin,
      kind: layer.kind,
      pe,
      simd,
      rows,
      cycles,
      products: layer.vectors * layer.k * layer.n,
      multipliers: rows * pe * (layer.kind === "depthwise" ? (isParallel ? layer.k : 1) : simd),
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
    latencyCycles,
    intervalCycles,
    nodes: network.nodes,
    edges,
    memories: network.memories(),
    layers: plans,
    target: target.name,
  };
}

/** Depths that are set by hand, by the node of the model whose name their module has. */
function depthsByHand(
  graph: Graph,
  units: ReadonlyMap<ValueId, Unit>,
  asked: ReadonlyMap<string, LayerFolding>,
): ReadonlyMap<string, number> {
  const depths = new Map<string, number>();
  for (const { id, origin } of graph.values.values()) {
    const depth = (asked.get(origin.node) ?? asked.get(id))?.fifoDepth;
    const unit = units.get(id);
    if (depth === undefined || unit === undefined) continue;
    const first = unit.kind === "region" ? unit.members[0].value : unit.value;
    depths.set(first.origin.node, depth);
  }
  return depths;
}

/** What cannot be faster, whatever the folding. */
interface Bound {
  readonly cycles: number;
  readonly what: string;
}

/** Cycles that a packet takes in beats of the greatest width, in or out. */
function packetCycles(graph: Graph): Bound {
  const bytes = (ids: readonly ValueId[]) =>
    ids.reduce((sum, id) => {
      const value = getValue(graph, id);
      return sum + sizeOf(value.shape) * containerBytes(quantOf(value).format);
    }, 0);
  const input = bytes(inputsOf(graph).map(({ id }) => id));
  const output = bytes(graph.outputs.map(({ value }) => value));
  const most = Math.max(input, output);
  const cycles = Math.ceil((most * 8) / widestBeatBits);
  return { cycles, what: `packets of ${most} bytes take ${cycles} cycles` };
}

/** Cycles of each window although nothing is multiplied: with as many columns in a beat as there may be. */
function slowestWindows(units: ReturnType<typeof planUnits>, graph: Graph): Bound[] {
  const bounds: Bound[] = [];
  for (const unit of allUnits(units)) {
    const isWindow =
      unit.kind === "engine"
        ? unit.layer.window !== undefined
        : unit.kind === "module" && (unit.value.op === "max_pool" || unit.value.op === "sum_pool");
    if (!isWindow || unit.kind === "region" || unit.kind === "loop") continue;
    const cycles = stepsOfWindow(unit.value, graph);
    bounds.push({ cycles, what: `the windows of ${unit.value.origin.node} take ${cycles} cycles` });
  }
  return bounds;
}

function stepsOfWindow(value: OpValue, graph: Graph): number {
  const x = getValue(graph, value.args[0]);
  const window = windowGeometry(value, x.shape);
  const choices = windowColumns(window, quantOf(x).format.width);
  const { H, W, places, taps } = window;
  if (choices.length === 0) return Math.max(H * W, places * taps);
  return Math.min(...choices.map(({ steps }) => steps));
}
