import type { Resources } from "../../artifact/index.ts";
import { choosePoints } from "./choose.ts";
import type { EngineLayer } from "./engine-layer.ts";
import {
  candidateCycles,
  type FoldingPoint,
  foldingPoints,
  type LayerFolding,
  leastCycles,
  type PointCost,
} from "./folding.ts";
import { type Budget, type BudgetKind, budgetKinds } from "./target.ts";

/** What the solver is asked. */
export interface FoldingProblem {
  readonly layers: readonly EngineLayer[];
  readonly asked: (layer: EngineLayer) => LayerFolding;
  readonly cost: PointCost;
  /** What the engines may take, without the rest of the design. */
  readonly budget: Budget;
  /** No interval below this can be kept: some module that is not folded needs so many cycles. */
  readonly leastInterval: number;
  /** The interval wanted; absent: the least that fits. */
  readonly wantedInterval?: number;
}

export interface Folding {
  /** Cycles of the slowest engine, or of what is not folded where that is slower. */
  readonly interval: number;
  readonly points: ReadonlyMap<EngineLayer, FoldingPoint>;
  readonly total: Resources;
}

/** Why nothing fits. */
export interface Misfit {
  readonly interval: number;
  readonly kind: BudgetKind;
  readonly needed: number;
  readonly available: number;
}

const longest = 2 ** 40;

/**
 * The least interval for a budget, exactly: an engine's cycles are one of finitely many numbers, so the
 * interval is one of them; for each of them every layer takes one of its cheapest foldings, and the least
 * interval for which some choice fits is found by bisection (what fits an interval fits every longer one).
 * With a wanted interval: the cheapest choice for it.
 */
export function solveFolding(problem: FoldingProblem): Folding | Misfit {
  const { layers, leastInterval, wantedInterval } = problem;
  if (wantedInterval !== undefined) return chooseWithin(problem, wantedInterval);
  const least = layers.reduce((top, layer) => Math.max(top, leastCycles(layer)), leastInterval);
  const candidates = new Set<number>([least]);
  for (const layer of layers)
    for (const cycles of candidateCycles(layer, longest))
      if (cycles > least) candidates.add(cycles);
  const sorted = [...candidates].sort((a, b) => a - b);
  let [low, high] = [0, sorted.length - 1];
  let best = chooseWithin(problem, sorted[high]);
  if ("kind" in best) return best;
  while (low < high) {
    const middle = (low + high) >> 1;
    const choice = chooseWithin(problem, sorted[middle]);
    if ("kind" in choice) low = middle + 1;
    else [high, best] = [middle, choice];
  }
  return best;
}

/** The cheapest foldings that finish within an interval, or what is missing. */
function chooseWithin(problem: FoldingProblem, interval: number): Folding | Misfit {
  const { layers, asked, cost, budget } = problem;
  const options = layers.map((layer) => foldingPoints(layer, interval, asked(layer), cost));
  const hasNone = options.findIndex((points) => points.length === 0);
  if (hasNone >= 0)
    return { interval, kind: "dsp", needed: Number.POSITIVE_INFINITY, available: budget.dsp };
  const weight = (of: Resources) =>
    budgetKinds.reduce((sum, kind) => sum + of[kind] / Math.max(1, budget[kind]), 0);
  const cheapest = options.map((points) =>
    points.reduce((best, point) => (weight(point.cost) < weight(best.cost) ? point : best)),
  );
  const simple = collect(layers, cheapest, interval, problem.leastInterval);
  if (fits(simple.total, budget)) return simple;
  const chosen = choosePoints(options, budget, weight);
  if (chosen !== undefined) return collect(layers, chosen, interval, problem.leastInterval);
  // The resource that is missed by most when each alone is spared as far as possible.
  const least = (kind: BudgetKind) =>
    options.reduce((sum, points) => sum + Math.min(...points.map((p) => p.cost[kind])), 0);
  const missing = budgetKinds
    .map((kind) => ({ kind, needed: simple.total[kind], least: least(kind) }))
    .sort(
      (a, b) =>
        b.least / Math.max(1, budget[b.kind]) - a.least / Math.max(1, budget[a.kind]) ||
        b.needed / Math.max(1, budget[b.kind]) - a.needed / Math.max(1, budget[a.kind]),
    )[0];
  return {
    interval,
    kind: missing.kind,
    needed: Math.max(missing.least, budget[missing.kind] + 1),
    available: budget[missing.kind],
  };
}

function plus(a: Resources, b: Resources): Resources {
  return {
    lut: a.lut + b.lut,
    ff: a.ff + b.ff,
    dsp: a.dsp + b.dsp,
    bram36: a.bram36 + b.bram36,
  };
}

export function fits(used: Resources, budget: Budget): boolean {
  return budgetKinds.every((kind) => used[kind] <= budget[kind]);
}

function collect(
  layers: readonly EngineLayer[],
  points: readonly FoldingPoint[],
  interval: number,
  leastInterval: number,
): Folding {
  const slowest = points.reduce((top, { cycles }) => Math.max(top, cycles), leastInterval);
  return {
    interval: Math.min(interval, slowest),
    points: new Map(layers.map((layer, i) => [layer, points[i]])),
    total: points.reduce((sum, { cost }) => plus(sum, cost), {
      lut: 0,
      ff: 0,
      dsp: 0,
      bram36: 0,
    }),
  };
}
