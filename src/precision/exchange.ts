import type { ErrorModel } from "./error-model.ts";
import {
  type Bench,
  bitOperations,
  type Choice,
  leastBits,
  mostBits,
  noiseOf,
  type Widths,
} from "./trial.ts";

/** How much more error than the target's a choice may be believed to make and still be measured. */
const doubt = 1.3;
/** Most choices that are looked at for one step. */
const maxNeighbours = 200_000;
const moves = [-2, -1, 1, 2];

interface Neighbour {
  readonly knobs: ReadonlyMap<string, number>;
  readonly cost: number;
}

/**
 * Looks for cheaper widths near those that are known: bits of a few knobs are changed at once, some down and
 * some up. Of all such choices that cost less, one is measured that is believed to meet the target; what
 * comes out corrects the belief. In turn that is the cheapest of them and the one with the least error.
 *
 * @param patience networks measured in a row that are no cheaper or miss the target, after which it ends
 */
export function exchange<T, M extends string>(
  bench: Bench<T, M>,
  model: ErrorModel,
  from: Choice<T, M>,
  patience: number,
): Choice<T, M> {
  const { evaluate, meets, onProgress } = bench;
  const measured = new Set<string>([keyOf(from.widths.knobs)]);
  let best = from;
  let mostNoise = noiseOf(from.trial);
  let around = neighbours(bench, best);
  for (let misses = 0; misses < patience; ) {
    const next =
      (misses % 2 === 0 && pick(around, model, measured, mostNoise * doubt, true)) ||
      pick(around, model, measured, Infinity, false);
    if (next === undefined) break;
    measured.add(keyOf(next.knobs));
    onProgress(`${best.widths.method}: exchanging bits (${misses + 1} of ${patience})`);
    const widths: Widths<M> = { ...best.widths, knobs: next.knobs };
    const trial = evaluate(widths);
    model.learn(next.knobs, noiseOf(trial));
    if (meets(trial)) mostNoise = Math.max(mostNoise, noiseOf(trial));
    if (!meets(trial) || trial.cost >= best.trial.cost) {
      misses++;
      continue;
    }
    best = { widths, trial };
    around = neighbours(bench, best);
    misses = 0;
  }
  return best;
}

/** The choices that cost less and differ in few knobs. */
function neighbours<T, M extends string>(
  { plan }: Bench<T, M>,
  { widths }: Choice<T, M>,
): Neighbour[] {
  const ids = plan.knobs.map(({ id }) => id);
  const depth = changesAtOnce(ids.length);
  const limit = bitOperations(plan.products, widths.knobs);
  const found: Neighbour[] = [];
  const visit = (first: number, knobs: ReadonlyMap<string, number>, left: number): void => {
    for (let at = first; at < ids.length; at++) {
      for (const move of moves) {
        const bits = (widths.knobs.get(ids[at]) as number) + move;
        if (bits < leastBits || bits > mostBits) continue;
        const changed = new Map(knobs).set(ids[at], bits);
        const cost = bitOperations(plan.products, changed);
        if (cost < limit) found.push({ knobs: changed, cost });
        if (left > 1) visit(at + 1, changed, left - 1);
      }
    }
  };
  visit(0, widths.knobs, depth);
  return found;
}

/** As many as keep the choices few enough, up to four. */
function changesAtOnce(knobs: number): number {
  let [depth, count] = [1, moves.length * knobs];
  while (depth < Math.min(4, knobs)) {
    count *= (moves.length * (knobs - depth)) / (depth + 1);
    if (count > maxNeighbours) break;
    depth++;
  }
  return depth;
}

function pick(
  around: readonly Neighbour[],
  model: ErrorModel,
  measured: ReadonlySet<string>,
  mostNoise: number,
  isCheapest: boolean,
): Neighbour | undefined {
  let best: { neighbour: Neighbour; rank: number } | undefined;
  for (const neighbour of around) {
    const noise = model.predict(neighbour.knobs);
    if (noise > mostNoise) continue;
    const rank = isCheapest ? neighbour.cost : noise;
    if (best !== undefined && rank >= best.rank) continue;
    if (!measured.has(keyOf(neighbour.knobs))) best = { neighbour, rank };
  }
  return best?.neighbour;
}

function keyOf(knobs: ReadonlyMap<string, number>): string {
  return [...knobs.values()].join();
}
