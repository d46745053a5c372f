import type { Resources } from "../../artifact/index.ts";
import { choosePoints, closestPoints } from "./choose.ts";
import type { EngineLayer } from "./engine-layer.ts";
import {
  candidateCycles,
  type FoldingPoint,
  foldingPoints,
  type LayerFolding,
  leastCycles,
  type PointCost,
} from "./folding.ts";
import { cyclesWithin, intervalWith, type Round } from "./rounds.ts";
import { type Budget, budgetKinds } from "./target.ts";

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
  /** Engines in loops, which wait in each step for what comes back. */
  readonly rounds?: ReadonlyMap<EngineLayer, Round>;
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
  /** What a choice takes that is over the budget by little; absent where no folding is fast enough. */
  readonly nearest?: Resources;
}

export function isMisfit(result: object): result is Misfit {
  return !("total" in result);
}

const longest = 2 ** 40;

/**
 * The least interval for a budget, exactly: an engine's cycles are one of finitely many numbers, so the
 * interval is one of them; for each of them every layer takes one of its cheapest foldings, and the least
 * interval for which some choice fits is found by bisection (what fits an interval fits every longer one).
 * With a wanted interval: the cheapest choice for it.
 */
export function solveFolding(problem: FoldingProblem): Folding | Misfit {
  const { wantedInterval } = problem;
  if (wantedInterval !== undefined)
    return choose(problem, wantedInterval) ?? misfit(problem, wantedInterval);
  const intervals = possibleIntervals(problem);
  let [low, high] = [0, intervals.length - 1];
  let best = choose(problem, intervals[high]);
  if (best === undefined) return misfit(problem, intervals[high]);
  while (low < high) {
    const middle = (low + high) >> 1;
    const choice = choose(problem, intervals[middle]);
    if (choice === undefined) low = middle + 1;
    else [high, best] = [middle, choice];
  }
  return best;
}

/** All intervals that some choice of foldings has, in order; without engines some that lanes can be chosen for. */
export function possibleIntervals({ layers, leastInterval, rounds }: FoldingProblem): number[] {
  const intervalOf = (layer: EngineLayer, cycles: number) =>
    intervalWith(cycles, rounds?.get(layer));
  const least = layers.reduce(
    (top, layer) => Math.max(top, intervalOf(layer, leastCycles(layer))),
    leastInterval,
  );
  const intervals = new Set<number>([least]);
  if (layers.length === 0) for (let n = 1; n <= 20; n++) intervals.add(least * 2 ** n);
  for (const layer of layers)
    for (const cycles of candidateCycles(layer, longest)) {
      const interval = intervalOf(layer, cycles);
      if (interval > least) intervals.add(interval);
    }
  return [...intervals].sort((a, b) => a - b);
}

/** Whether a choice that fits is found at once; where it is not, there may still be one. */
export function fitsRoughly(problem: FoldingProblem): boolean {
  const interval = problem.wantedInterval ?? possibleIntervals(problem).at(-1) ?? 1;
  const { nearest } = misfit(problem, interval);
  return nearest !== undefined && fits(nearest, problem.budget);
}

function optionsWithin({ layers, asked, cost, rounds }: FoldingProblem, interval: number) {
  return layers.map((layer) =>
    foldingPoints(layer, cyclesWithin(interval, rounds?.get(layer)), asked(layer), cost),
  );
}

/** The cheapest foldings that finish within an interval; nothing where none fit. */
function choose(problem: FoldingProblem, interval: number): Folding | undefined {
  const { budget } = problem;
  const options = optionsWithin(problem, interval);
  if (options.some((points) => points.length === 0)) return undefined;
  const price = priceOf(budget);
  const cheapest = options.map((points) =>
    points.reduce((best, point) => (price(point.cost) < price(best.cost) ? point : best)),
  );
  const simple = collect(problem, cheapest, interval);
  if (fits(simple.total, budget)) return simple;
  const chosen = choosePoints(options, budget, price);
  return chosen && collect(problem, chosen, interval);
}

function misfit(problem: FoldingProblem, interval: number): Misfit {
  const { budget } = problem;
  const options = optionsWithin(problem, interval);
  if (options.some((points) => points.length === 0)) return { interval };
  const points = closestPoints(options, budget, priceOf(budget));
  return { interval, nearest: collect(problem, points, interval).total };
}

/** Resources are worth their share of the budget. */
function priceOf(budget: Budget): (of: Resources) => number {
  return (of) => budgetKinds.reduce((sum, kind) => sum + of[kind] / Math.max(1, budget[kind]), 0);
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
  { layers, leastInterval, rounds }: FoldingProblem,
  points: readonly FoldingPoint[],
  interval: number,
): Folding {
  const slowest = points.reduce(
    (top, { cycles, lagCycles }, i) =>
      Math.max(top, intervalWith(cycles + lagCycles, rounds?.get(layers[i]))),
    leastInterval,
  );
  return {
    // Without engines it is the lanes that follow the interval.
    interval: layers.length === 0 ? interval : Math.min(interval, slowest),
    points: new Map(layers.map((layer, i) => [layer, points[i]])),
    total: points.reduce((sum, { cost }) => plus(sum, cost), {
      lut: 0,
      ff: 0,
      dsp: 0,
      bram36: 0,
    }),
  };
}
