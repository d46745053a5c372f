import type { EngineLayer } from "./engine-layer.ts";
import type { FoldingPoint } from "./folding.ts";
import type { RolledLoop } from "./loops.ts";
import type { Unit } from "./units.ts";

/**
 * What an engine in a loop has to share a step with: nothing of the next step can begin before the state has come
 * round, so a step lasts as long as all engines of the round, one after the other, and whatever lies between them.
 */
export interface Round {
  readonly loop: RolledLoop;
  readonly steps: number;
  /** The part of the engines' time that is this engine's. */
  readonly share: number;
  /** Cycles of a step in which no engine works. */
  readonly waitCycles: number;
  /** What is left to the engine at least: of how long a fast round waits, a slow one says little. */
  readonly leastCycles: number;
}

/**
 * Cycles of a step outside of the products, before a network has told: of the loop's module and its FIFOs, and for
 * each engine of its stages, the pipeline behind it and their FIFOs. Rather too few: a round that is longer is learned,
 * a folding that is left out is not.
 */
const firstGuess = { loop: 4, engine: 9 };

/** Cycles of a step that the fastest engine may have on top of its one: the sums of its many products take longer. */
const spareLag = 3;

/**
 * The rounds of all engines in loops.
 *
 * @param hasRate a rate is asked for: what it leaves to the engines is known too badly to refuse it
 */
export function planRounds(units: Iterable<Unit>, hasRate: boolean): Map<EngineLayer, Round> {
  const rounds = new Map<EngineLayer, Round>();
  for (const unit of units) {
    if (unit.kind !== "loop") continue;
    const layers = [...new Set(unit.units.values())].flatMap((inner) =>
      inner.kind === "engine" ? [inner.layer] : [],
    );
    const work = layers.reduce((sum, { k, n }) => sum + k * n, 0);
    const { loop } = unit;
    for (const layer of layers)
      rounds.set(layer, {
        loop,
        steps: loop.steps,
        share: (layer.k * layer.n) / work,
        waitCycles: firstGuess.loop + firstGuess.engine * layers.length,
        leastCycles: layer.vectors + (hasRate ? spareLag * loop.steps : 0),
      });
  }
  return rounds;
}

/** The same with nothing left to engines but the fastest, where the time that seems to be left is less. */
export function hurry(rounds: ReadonlyMap<EngineLayer, Round>): Map<EngineLayer, Round> {
  return new Map(
    [...rounds].map(([layer, round]) => [layer, { ...round, leastCycles: layer.vectors }]),
  );
}

/** Cycles that an engine may work for an inference. */
export function cyclesWithin(interval: number, round: Round | undefined): number {
  if (round === undefined) return interval;
  const { steps, share, waitCycles, leastCycles } = round;
  return Math.max(leastCycles, Math.floor((interval - steps * waitCycles) * share + 1e-6));
}

/** The least interval in which an engine may work so many cycles. */
export function intervalWith(cycles: number, round: Round | undefined): number {
  if (round === undefined) return cycles;
  const { steps, share, waitCycles } = round;
  return Math.ceil(cycles / share + steps * waitCycles - 1e-6);
}

/**
 * The rounds as a network shows them: where its interval is that of the slowest loop, what the engines leave of it is
 * waiting.
 */
export function learnRounds(
  rounds: ReadonlyMap<EngineLayer, Round>,
  points: ReadonlyMap<EngineLayer, FoldingPoint>,
  intervalCycles: number,
): Map<EngineLayer, Round> {
  const working = new Map<RolledLoop, number>();
  for (const [layer, { loop }] of rounds) {
    const { cycles, lagCycles } = points.get(layer) ?? { cycles: 0, lagCycles: 0 };
    working.set(loop, (working.get(loop) ?? 0) + cycles + lagCycles);
  }
  const lasts = ({ loop, steps, waitCycles }: Round) =>
    (working.get(loop) ?? 0) + steps * waitCycles;
  const slowest = Math.max(...[...rounds.values()].map(lasts));
  return new Map(
    [...rounds].map(([layer, round]) => {
      if (lasts(round) < slowest * 0.98) return [layer, round];
      const waitCycles = Math.max(0, intervalCycles - (working.get(round.loop) ?? 0)) / round.steps;
      return [layer, { ...round, waitCycles }];
    }),
  );
}

/** Cycles of a step of each loop: of all of it, about, and of the products alone. */
export function stepCycles(
  rounds: ReadonlyMap<EngineLayer, Round>,
  points: ReadonlyMap<EngineLayer, FoldingPoint>,
): Map<RolledLoop, { readonly all: number; readonly products: number }> {
  const loops = new Map<RolledLoop, { readonly all: number; readonly products: number }>();
  for (const [layer, { loop, steps, waitCycles }] of rounds) {
    const { cycles, lagCycles } = points.get(layer) ?? { cycles: 0, lagCycles: 0 };
    const { all, products } = loops.get(loop) ?? { all: waitCycles, products: 0 };
    const sum = all + (cycles + lagCycles) / steps;
    loops.set(loop, { all: sum, products: products + cycles / steps });
  }
  return loops;
}
