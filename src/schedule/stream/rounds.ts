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
}

/** Cycles of a step between engines, before a network has told: of pipelines, FIFOs and the loop's module. */
const firstGuess = 20;

/** The rounds of all engines in loops. */
export function planRounds(units: Iterable<Unit>): Map<EngineLayer, Round> {
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
        waitCycles: firstGuess,
      });
  }
  return rounds;
}

/** Cycles that an engine may work for an inference. */
export function cyclesWithin(interval: number, round: Round | undefined): number {
  if (round === undefined) return interval;
  const { steps, share, waitCycles } = round;
  return Math.max(0, Math.floor((interval - steps * waitCycles) * share + 1e-6));
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
