import { fail } from "../../base/index.ts";
import type { LoopPlan } from "../../design/index.ts";
import { originText } from "../../ir/index.ts";
import type { EngineLayer } from "./engine-layer.ts";
import type { FoldingPoint } from "./folding.ts";
import type { KeptLoop, RolledGraph, RolledLoop } from "./loops.ts";
import { type Round, stepCycles } from "./rounds.ts";

/** What was asked of the steps of recurrent layers, and what came of it. */
export interface LoopRequest {
  /** Whether a user asks for one cell, or against it. */
  asked(loop: KeptLoop): boolean | undefined;
  /** Whether a rate is asked for. */
  readonly hasRate: boolean;
  /** Why the other way, which was tried first, does not do. */
  readonly misfit?: string;
}

/**
 * Which layers share a cell and which do not, each with a reason.
 *
 * @throws N2F_OPTION_INVALID where a cell is asked for and there cannot be one
 */
export function planLoops({ loops, kept }: RolledGraph, request: LoopRequest): LoopPlan[] {
  return [
    ...[...new Set(loops.values())].map((loop) => sharedPlan(loop, request)),
    ...kept.map((loop) => keptPlan(loop, request)),
  ];
}

function sharedPlan({ name, origin, steps }: RolledLoop, request: LoopRequest): LoopPlan {
  const plan = { name, origin, steps, isShared: true };
  if (request.asked(plan) !== undefined) return plan;
  const isForced = request.misfit !== undefined && !request.hasRate;
  return isForced
    ? { ...plan, why: `a cell for each does not do: ${request.misfit}` }
    : { ...plan, why: "the rate allows it" };
}

function keptPlan({ name, origin, steps, why }: KeptLoop, request: LoopRequest): LoopPlan {
  const plan = { name, origin, steps, isShared: false };
  const asked = request.asked(plan);
  if (why !== undefined) {
    if (asked === true)
      return fail("N2F_OPTION_INVALID", `its ${steps} steps cannot share a cell: ${why}`, {
        at: originText(origin),
        hint: "Leave out Static, and give all steps the same precision.",
      });
    return { ...plan, why, hint: "Give all steps the same precision, and read only the last." };
  }
  if (asked !== undefined) return plan;
  const share = `LayerName: { ${origin.node}: { Static: true } }`;
  if (request.misfit !== undefined && request.hasRate)
    return {
      ...{ ...plan, why: `one for all does not do: ${request.misfit}` },
      hint: "A lower --target-fps lets them share one.",
    };
  return {
    ...{ ...plan, why: "it is the fastest" },
    hint: `A --target-fps that needs no more, or ${share}, makes one for all.`,
  };
}

/** Says of the slowest loop how long its round is, where nothing else takes as long. */
export function withRounds(
  plans: readonly LoopPlan[],
  rounds: ReadonlyMap<EngineLayer, Round>,
  points: ReadonlyMap<EngineLayer, FoldingPoint>,
  intervalCycles: number,
): LoopPlan[] {
  const cycles = stepCycles(rounds, points);
  const slowest = [...cycles].sort(([, a], [, b]) => b.all - a.all)[0];
  if (slowest === undefined) return [...plans];
  const [{ name, steps }, { products }] = slowest;
  const round = { cycles: Math.round(intervalCycles / steps), productCycles: products };
  return plans.map((plan) => (plan.name === name ? { ...plan, round } : plan));
}
