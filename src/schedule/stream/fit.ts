import type { Resources } from "../../artifact/index.ts";
import {
  type Folding,
  type FoldingProblem,
  fits,
  isMisfit,
  type Misfit,
  possibleIntervals,
  solveFolding,
} from "./solve.ts";
import { type Budget, budgetKinds } from "./target.ts";

/** A folding, and the network that it becomes. */
export interface Fitted<T> {
  readonly folding: Folding;
  readonly network: T;
  /** What all of it takes, engines and the rest. */
  readonly total: Resources;
}

/** Joins the engines of a folding; what the whole takes. */
export type Layer<T> = (folding: Folding) => { readonly network: T; readonly total: Resources };

/** Steps of which each is twice the one before; from a thirty-second to eight times the first interval. */
const growingSteps = 8;
/** Times that the engines of an interval are chosen anew because the rest took more than was left for it. */
const turns = 4;
/** The interval is found among 256 that lie between two steps. */
const halvings = 8;

/**
 * The least interval for which the whole network fits the budget. What stands between the engines is known
 * only when they are joined, so the intervals above the one that the engines alone could have are tried
 * with whole networks: first in growing steps, then by bisection.
 *
 * @param problem its budget is that of the whole network; with a wanted interval only that one is tried
 */
export function fitNetwork<T>(problem: FoldingProblem, lay: Layer<T>): Fitted<T> | Misfit {
  const { wantedInterval } = problem;
  if (wantedInterval !== undefined) return fitWithin(problem, wantedInterval, lay);
  const ideal = solveFolding(problem);
  if (isMisfit(ideal)) return ideal;
  const first = fitWithin(problem, ideal.interval, lay);
  if (!isMisfit(first)) return first;
  const intervals = possibleIntervals(problem).filter((one) => one > ideal.interval);
  const last = intervals.length - 1;
  let low = 0; // whatever is below it does not fit
  let found: Fitted<T> | Misfit = first;
  let high = -1;
  for (let steps = 0; isMisfit(found); steps++) {
    if (low > last) return found;
    const wanted = ideal.interval * (1 + 2 ** steps / 32);
    const next = intervals.findIndex((one) => one >= wanted);
    high = next < 0 || steps === growingSteps ? last : Math.max(low, next);
    found = fitWithin(problem, intervals[high], lay);
    if (isMisfit(found)) low = high + 1;
  }
  for (let steps = 0; low < high && steps < halvings; steps++) {
    const middle = (low + high) >> 1;
    const trial = fitWithin(problem, intervals[middle], lay);
    if (isMisfit(trial)) low = middle + 1;
    else [high, found] = [middle, trial];
  }
  return found;
}

/** The cheapest network for an interval: first with the whole budget for the engines, then with what the rest left the last time. */
function fitWithin<T>(
  problem: FoldingProblem,
  interval: number,
  lay: Layer<T>,
): Fitted<T> | Misfit {
  const { budget } = problem;
  let engines = budget;
  for (let turn = 0; ; turn++) {
    const folding = solveFolding({ ...problem, budget: engines, wantedInterval: interval });
    if (isMisfit(folding)) {
      const { nearest } = folding;
      return nearest === undefined
        ? folding
        : { interval, nearest: whole(nearest, budget, engines) };
    }
    const laid = lay(folding);
    if (fits(laid.total, budget)) return { folding, ...laid };
    if (turn === turns - 1) return { interval, nearest: laid.total };
    engines = without(budget, laid.total, folding.total);
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

/** Engines, and what was set aside for the rest. */
function whole(engines: Resources, budget: Budget, left: Budget): Resources {
  const sum = budgetKinds.map((kind) => [kind, engines[kind] + budget[kind] - left[kind]]);
  return Object.fromEntries(sum) as Record<(typeof budgetKinds)[number], number>;
}
