import type { Resources } from "../../artifact/index.ts";
import type { FoldingPoint } from "./folding.ts";
import { type Budget, budgetKinds } from "./target.ts";

/** Numbers a folding is judged by: its share of each budget, and last of all its price. */
const kinds = budgetKinds.length;
const width = kinds + 1;
/** Sums of floating-point numbers count as equal up to this. */
const slack = 1e-9;
/** Steps of the search for multipliers. */
const rounds = 120;
/** Partial choices that are kept side by side. With the bounds of below, real networks keep some dozens. */
const frontLimit = 2000;

/** A lower bound: with these weights of the resources no choice that counts comes to more than `most`. */
interface Bound {
  readonly weights: Float64Array;
  readonly most: number;
  /** What the layers from each on come to at least. */
  readonly rest: Float64Array;
}

/**
 * The cheapest choice of one folding for each layer within a budget; nothing where no choice fits.
 *
 * A knapsack with several resources and one item of each class. Multipliers (a price for each resource)
 * turn it into independent choices: their sum bounds all choices from below, and the choices themselves are
 * mostly good. Where they do not settle the question, the layers are taken one by one: of the partial
 * choices those are kept that no other dominates and that no bound rules out.
 *
 * @param price of a folding; not negative, and no less for what takes more
 * @see Kellerer, Pferschy, Pisinger, Knapsack Problems, 2004, sections 9.2 and 11.5
 */
export function choosePoints(
  options: readonly (readonly FoldingPoint[])[],
  budget: Budget,
  price: (cost: Resources) => number,
): readonly FoldingPoint[] | undefined {
  const table = new Choices(options, budget, price);
  const axes = budgetKinds.map((_, kind) => table.bound(unit(kind), table.room[kind]));
  if (axes.some((bound) => bound.rest[0] > bound.most + slack)) return undefined;
  const fit = table.relax(false);
  if (fit.value > slack) return undefined;
  const cheap = table.relax(true);
  let best = cheap.best ?? fit.best;
  const known = () => (best === undefined ? Number.POSITIVE_INFINITY : table.priceOf(best));
  if (known() > cheap.value + slack) {
    const bounds = [...axes, table.bound(fit.weights, dot(fit.weights, table.room))];
    if (best !== undefined) bounds.push(table.bound(unit(kinds), known()));
    const most = known() + dot(cheap.weights, table.room);
    if (Number.isFinite(most)) bounds.push(table.bound(cheap.weights, most));
    best = table.search(bounds, cheap.weights) ?? best;
  }
  return best && [...best].map((p, l) => options[l][p]);
}

/** A choice that is over the budget by little, where none is within it. */
export function closestPoints(
  options: readonly (readonly FoldingPoint[])[],
  budget: Budget,
  price: (cost: Resources) => number,
): readonly FoldingPoint[] {
  const { nearest } = new Choices(options, budget, price).relax(false);
  return [...nearest].map((p, l) => options[l][p]);
}

function unit(at: number): Float64Array {
  const weights = new Float64Array(width);
  weights[at] = 1;
  return weights;
}

function dot(weights: Float64Array, room: Float64Array): number {
  let sum = 0;
  for (let kind = 0; kind < kinds; kind++) sum += weights[kind] * room[kind];
  return sum;
}

/** What multipliers say: no choice within the budget comes to less than `value`. */
interface Relaxed {
  readonly value: number;
  readonly weights: Float64Array;
  /** The cheapest choice within the budget that was met on the way. */
  readonly best: Int32Array | undefined;
  /** The choice that was least over the budget. */
  readonly nearest: Int32Array;
}

interface Partial {
  readonly used: Float64Array;
  readonly point: number;
  readonly before: Partial | undefined;
}

class Choices {
  /** Of each layer: the numbers of all its foldings, one after the other. */
  readonly #costs: readonly Float64Array[];
  readonly #counts: readonly number[];
  /** 1 for each resource; less where the budget is less than one piece. */
  readonly room: Float64Array;

  constructor(
    options: readonly (readonly FoldingPoint[])[],
    budget: Budget,
    price: (cost: Resources) => number,
  ) {
    const scale = budgetKinds.map((kind) => Math.max(1, budget[kind]));
    this.room = Float64Array.from(budgetKinds, (kind, at) => budget[kind] / scale[at]);
    this.#counts = options.map((points) => points.length);
    this.#costs = options.map((points) =>
      Float64Array.from(
        points.flatMap(({ cost }) => [
          ...budgetKinds.map((kind, at) => cost[kind] / scale[at]),
          price(cost),
        ]),
      ),
    );
  }

  priceOf(choice: Int32Array): number {
    return this.#costs.reduce((sum, costs, l) => sum + costs[choice[l] * width + kinds], 0);
  }

  /** The folding of a layer that costs least with some weights. */
  #least(layer: number, weights: Float64Array): { point: number; value: number } {
    const costs = this.#costs[layer];
    let point = 0;
    let value = Number.POSITIVE_INFINITY;
    for (let p = 0, at = 0; p < this.#counts[layer]; p++, at += width) {
      let sum = 0;
      for (let kind = 0; kind < width; kind++) sum += weights[kind] * costs[at + kind];
      if (sum < value) [point, value] = [p, sum];
    }
    return { point, value };
  }

  bound(weights: Float64Array, most: number): Bound {
    const layers = this.#counts.length;
    const rest = new Float64Array(layers + 1);
    for (let l = layers - 1; l >= 0; l--) rest[l] = rest[l + 1] + this.#least(l, weights).value;
    return { weights, most, rest };
  }

  #used(choice: Int32Array): Float64Array {
    const used = new Float64Array(width);
    this.#costs.forEach((costs, l) => {
      for (let kind = 0; kind < width; kind++) used[kind] += costs[choice[l] * width + kind];
    });
    return used;
  }

  #excess(used: Float64Array): number {
    let sum = 0;
    for (let kind = 0; kind < kinds; kind++) sum += Math.max(0, used[kind] - this.room[kind]);
    return sum;
  }

  /**
   * Raises the multipliers of what is short, and lowers those of what is left over. Without prices the
   * question is whether anything fits: no, where the value is above zero.
   */
  relax(isPriced: boolean): Relaxed {
    const weights = new Float64Array(width).fill(isPriced ? 0.1 : 1 / kinds);
    weights[kinds] = isPriced ? 1 : 0;
    let value = Number.NEGATIVE_INFINITY;
    let found = weights.slice();
    let best: Int32Array | undefined;
    let lowest = Number.POSITIVE_INFINITY;
    const layers = this.#counts.length;
    let nearest: Int32Array = new Int32Array(layers);
    let over = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const choice = new Int32Array(layers);
      let sum = -dot(weights, this.room);
      for (let l = 0; l < layers; l++) {
        const least = this.#least(l, weights);
        choice[l] = least.point;
        sum += least.value;
      }
      if (sum > value) [value, found] = [sum, weights.slice()];
      const used = this.#used(choice);
      const isTried = round < 8 || round % 8 === 0;
      const repaired = isTried ? this.#repair(choice, used.slice()) : choice;
      // Sums that were corrected many times are added up again.
      const excess = this.#excess(this.#used(repaired));
      if (excess < over) [nearest, over] = [repaired, excess];
      if (excess <= slack) {
        const price = this.priceOf(repaired);
        if (price < lowest) [best, lowest] = [repaired, price];
        if (!isPriced) break;
      }
      if (isPriced ? lowest <= value + slack : value > slack) break;
      const step = 2 / (1 + round / 8);
      for (let kind = 0; kind < kinds; kind++) {
        weights[kind] *= Math.exp(step * Math.max(-1, Math.min(1, used[kind] - this.room[kind])));
      }
      if (!isPriced) {
        const total = weights.reduce((a, b) => a + b, 0);
        for (let kind = 0; kind < kinds; kind++) weights[kind] /= total;
      }
    }
    return { value, weights: found, best, nearest };
  }

  /** Exchanges foldings of single layers as long as less is too much for it. */
  #repair(choice: Int32Array, used: Float64Array): Int32Array {
    const repaired = choice.slice();
    for (let excess = this.#excess(used); excess > 0; ) {
      let [layer, point, least] = [-1, -1, excess];
      this.#costs.forEach((costs, l) => {
        const now = repaired[l] * width;
        for (let p = 0, at = 0; p < this.#counts[l]; p++, at += width) {
          let sum = 0;
          for (let kind = 0; kind < kinds; kind++) {
            const over = used[kind] + costs[at + kind] - costs[now + kind] - this.room[kind];
            if (over > 0) sum += over;
          }
          if (sum < least) [layer, point, least] = [l, p, sum];
        }
      });
      if (layer < 0) break;
      const [costs, now] = [this.#costs[layer], repaired[layer] * width];
      for (let kind = 0; kind < width; kind++)
        used[kind] += costs[point * width + kind] - costs[now + kind];
      repaired[layer] = point;
      excess = least;
    }
    return repaired;
  }

  /** The layers one by one. */
  search(bounds: readonly Bound[], order: Float64Array): Int32Array | undefined {
    let front: Partial[] = [{ used: new Float64Array(width), point: -1, before: undefined }];
    this.#costs.forEach((costs, l) => {
      const next: Partial[] = [];
      const used = new Float64Array(width); // copied where it is worth it: most are not
      for (const before of front) {
        for (let p = 0, at = 0; p < this.#counts[l]; p++, at += width) {
          for (let kind = 0; kind < width; kind++)
            used[kind] = before.used[kind] + costs[at + kind];
          if (isWorthwhile(used, bounds, l + 1))
            next.push({ used: used.slice(), point: p, before });
        }
      }
      front = undominated(next, order);
    });
    let best: Partial | undefined;
    for (const end of front)
      if (best === undefined || end.used[kinds] < best.used[kinds]) best = end;
    if (best === undefined) return undefined;
    const choice = new Int32Array(this.#counts.length);
    let at: Partial = best;
    for (let l = choice.length - 1; l >= 0; l--) {
      choice[l] = at.point;
      at = at.before as Partial;
    }
    return choice;
  }
}

function isWorthwhile(used: Float64Array, bounds: readonly Bound[], layer: number): boolean {
  for (const { weights, most, rest } of bounds) {
    let sum = rest[layer];
    for (let kind = 0; kind < width; kind++) sum += weights[kind] * used[kind];
    if (sum > most + slack) return false;
  }
  return true;
}

/** Those that no other beats in all resources; beyond the limit, those that come to least with some weights. */
function undominated(partials: Partial[], weights: Float64Array): Partial[] {
  const worth = ({ used }: Partial) =>
    used.reduce((sum, part, kind) => sum + part * weights[kind], 0);
  const sorted = partials
    .map((partial) => ({ partial, sum: worth(partial) }))
    .sort((a, b) => a.sum - b.sum);
  const kept: Partial[] = [];
  const taken = new Float64Array(frontLimit * kinds); // what those that are kept use, one behind the other
  let last = 0;
  for (const { partial } of sorted) {
    if (kept.length >= frontLimit) break;
    // What beat the one before mostly beats the next one too.
    const beater = beaterOf(partial.used, taken, kept.length, last);
    if (beater >= 0) {
      last = beater;
      continue;
    }
    for (let kind = 0; kind < kinds; kind++) taken[kept.length * kinds + kind] = partial.used[kind];
    kept.push(partial);
  }
  return kept;
}

/** The first of `count` from some on, all around, that takes no more of any resource; -1 where none does. */
function beaterOf(used: Float64Array, others: Float64Array, count: number, from: number): number {
  for (let turn = 0; turn < count; turn++) {
    const one = from + turn < count ? from + turn : from + turn - count;
    let kind = 0;
    while (kind < kinds && others[one * kinds + kind] <= used[kind]) kind++;
    if (kind === kinds) return one;
  }
  return -1;
}
