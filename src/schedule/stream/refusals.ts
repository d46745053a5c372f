import type { Resources } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import type { Graph } from "../../ir/index.ts";
import type { FoldingProblem, Misfit } from "./solve.ts";
import { fitsRoughly, isMisfit, solveFolding } from "./solve.ts";
import { type Budget, budgetKinds, loadTarget, type Target, targetNames } from "./target.ts";

const names = { lut: "LUT", ff: "FF", dsp: "DSP", bram36: "BRAM36" } as const;

/** What was asked for, and what stood against it. */
export interface Refused {
  readonly graph: Graph;
  readonly target: Target;
  readonly clockMhz: number;
  readonly problem: FoldingProblem;
}

/**
 * Nothing fits: says which resources are short, by how much, and what would fit.
 *
 * @throws N2F_DESIGN_SIZE, always
 */
export function refuseMisfit({ interval, nearest }: Misfit, refused: Refused): never {
  const { graph, target, problem, clockMhz } = refused;
  const { wantedInterval } = problem;
  if (nearest === undefined) {
    return fail("N2F_DESIGN_SIZE", `no folding finishes an inference in ${interval} cycles`, {
      at: graph.name,
      hint: "Ask for a lower --target-fps, or leave out foldings that are set by hand.",
    });
  }
  // Part of the device was set aside for FIFOs.
  const all = budgetKinds.map((kind) => [
    kind,
    nearest[kind] + target.budget[kind] - problem.budget[kind],
  ]);
  const needed = Object.fromEntries(all) as Budget;
  const even = wantedInterval === undefined ? "even " : "";
  const message = `${even}at one inference in ${interval} cycles the design needs ${shortage(needed, target)}`;
  return fail("N2F_DESIGN_SIZE", message, {
    at: graph.name,
    hint: whatFits({ graph, target, problem, clockMhz }),
  });
}

/** `90000 LUT of the 81984 that KV260 gives (8016 too many)`, for all that is short. */
function shortage(needed: Resources, { title, budget }: Target): string {
  const short = budgetKinds
    .filter((kind) => needed[kind] > budget[kind])
    .map((kind) => {
      const count = Math.ceil(needed[kind]);
      return `${count} ${names[kind]} of ${budget[kind]} (${count - budget[kind]} too many)`;
    });
  return `${short.join(" and ")} that ${title} gives`;
}

/** What would fit, of what can be tried in a moment: a lower rate, another device, weights of fewer bits. */
function whatFits({ target, problem, clockMhz }: Refused): string {
  const ways: string[] = [];
  const { wantedInterval, ...free } = problem;
  if (wantedInterval !== undefined) {
    const slower = solveFolding(free);
    if (!isMisfit(slower) && slower.interval > wantedInterval)
      ways.push(`ask for --target-fps ${rateOf(slower.interval, clockMhz)} or less`);
  }
  const larger = nextTarget(problem, target);
  if (larger !== undefined) ways.push(`take --target ${larger}`);
  const bits = fewerBits(problem);
  if (bits !== undefined) ways.push(`give weights of at most ${bits} bits (--precision)`);
  if (ways.length === 0) {
    return "No device of hw/targets has room for it, nor with weights of 2 bits: its weights do not fit on a chip. Use a smaller network.";
  }
  return `The engines would fit if you ${ways.join(", or ")}; what joins them comes on top.`;
}

/** The smallest device of the package on which the engines fit; devices are told apart by their LUTs. */
function nextTarget(problem: FoldingProblem, target: Target): string | undefined {
  return targetNames()
    .map(loadTarget)
    .filter(({ budget }) => budgetKinds.some((kind) => budget[kind] > target.budget[kind]))
    .sort((a, b) => a.budget.lut - b.budget.lut)
    .find(({ budget }) => fitsRoughly({ ...problem, budget: mostOf(budget) }))?.name;
}

/** Engines that fill a device leave no room for the rest. */
function mostOf(budget: Budget): Budget {
  const most = budgetKinds.map((kind) => [kind, budget[kind] * 0.8]);
  return Object.fromEntries(most) as Budget;
}

/** The most bits of a weight with which the engines fit the same device. */
function fewerBits(problem: FoldingProblem): number | undefined {
  const most = problem.layers.reduce((top, { wBits }) => Math.max(top, wBits), 0);
  for (let bits = most - 1; bits >= 2; bits--) {
    const layers = problem.layers.map((layer) => ({
      ...layer,
      wBits: Math.min(layer.wBits, bits),
    }));
    const budget = mostOf(problem.budget);
    if (fitsRoughly({ ...problem, layers, budget })) return bits;
  }
  return undefined;
}

function rateOf(interval: number, clockMhz: number): number {
  return Math.floor((clockMhz * 1e6) / interval);
}

/**
 * The rate that is wanted is above what modules that are not folded, and FIFOs, allow.
 *
 * @throws N2F_DESIGN_SIZE, always
 */
export function refuseRate(
  wanted: number,
  interval: number,
  { graph, clockMhz, slowest }: Pick<Refused, "graph" | "clockMhz"> & { readonly slowest?: string },
): never {
  const pace = slowest === undefined ? "" : ` What sets the pace is not folded: ${slowest}.`;
  return fail(
    "N2F_DESIGN_SIZE",
    `an inference in ${wanted} cycles is wanted; ${interval} cycles are the least that was reached`,
    {
      at: graph.name,
      hint: `Ask for --target-fps ${rateOf(interval, clockMhz)} or less, or raise --clock-mhz.${pace}`,
    },
  );
}
