import { ErrorModel } from "./error-model.ts";
import { exchange } from "./exchange.ts";
import type { Knob, KnobPlan, KnobProduct } from "./knobs.ts";
import {
  type Bench,
  type Choice,
  leastBits,
  mostBits,
  noiseOf,
  type Trial,
  type Widths,
} from "./trial.ts";

/** What the user wants of the quantized network, measured against the float one on the calibration data. */
export type PrecisionTarget =
  | { readonly kind: "sqnr"; readonly decibel: number }
  | { readonly kind: "agreement"; readonly share: number };

export interface SearchProblem<T, M extends string> {
  readonly plan: KnobPlan;
  /** Ways to choose binary points; all are tried. */
  readonly methods: readonly M[];
  readonly target: PrecisionTarget;
  /** Quantizes and measures; nothing where accumulators would be too wide. */
  readonly evaluate: (widths: Widths<M>) => Trial<T> | undefined;
  readonly onProgress?: (step: string) => void;
}

/** A knob's share in error and cost at the end of the search. */
export interface KnobReport extends Knob {
  readonly widthBits: number;
  /** SQNR of the network if this knob alone had its width and all others had many bits, in dB. */
  readonly aloneSqnrDb: number;
}

export interface SearchResult<T, M extends string> {
  /** The cheapest of the uniform widths that meet the target. */
  readonly uniform: Uniform<T, M>;
  readonly widths: Widths<M>;
  readonly trial: Trial<T>;
  readonly knobs: readonly KnobReport[];
  readonly trials: number;
}

/** Bits above the uniform width at which a knob counts as without error. */
const spareBits = 6;
/** Bits above the uniform width for what has no knob: values that no product reads, entries of tables. */
const restBits = 2;
/** Halvings of the interval in which the error budget is sought. */
const budgetSteps = 7;
/** Networks measured in a row without gain until the exchange of bits ends: for each way, and for the best of them. */
const [patience, lastPatience] = [48, 160];

export interface Uniform<T, M extends string> {
  readonly method: M;
  readonly widthBits: number;
  readonly trial: Trial<T>;
}

/**
 * Finds widths for all knobs that meet a target at little cost. Deterministic. For each way to choose
 * binary points:
 *
 * 1. The least uniform width that meets it.
 * 2. The error that each knob makes alone at that width. Errors of different places hardly correlate, so
 *    their powers add up, and a bit less makes four times the power.
 * 3. For a budget of error power: from many bits down, always the bit that saves most cost for the error
 *    it makes. The greatest budget whose widths meet the target when measured is sought by halving.
 * 4. A bit less wherever the measured network still meets the target, the dearest knobs first; then
 *    several knobs at once, some with more bits and some with fewer ([exchange](./exchange.ts)), longest for
 *    the way that came out cheapest.
 *
 * @returns nothing where not even 24 bits meet the target
 */
export function searchPrecision<T, M extends string>(
  problem: SearchProblem<T, M>,
): SearchResult<T, M> | undefined {
  const { target, onProgress = () => {} } = problem;
  let trials = 0;
  const bench: Bench<T, M> = {
    plan: problem.plan,
    onProgress,
    evaluate: (widths) => {
      trials++;
      return problem.evaluate(widths);
    },
    meets: (trial): trial is Trial<T> =>
      trial !== undefined &&
      (target.kind === "sqnr" ? trial.sqnrDb >= target.decibel : trial.agreement >= target.share),
  };
  const found = problem.methods.flatMap((method) => {
    const uniform = leastUniform(bench, method);
    return uniform === undefined ? [] : [{ uniform, ...searchFrom(bench, uniform) }];
  });
  if (found.length === 0) return undefined;
  const best = found.reduce((a, b) => (b.choice.trial.cost < a.choice.trial.cost ? b : a));
  const choice = exchange(bench, best.model, best.choice, lastPatience);
  const uniform = found
    .map((each) => each.uniform)
    .reduce((a, b) => (b.trial.cost < a.trial.cost ? b : a));
  const knobs = problem.plan.knobs.map((knob): KnobReport => {
    const bits = choice.widths.knobs.get(knob.id) as number;
    const power = (best.powers.get(knob.id) as number) * 4 ** (best.uniform.widthBits - bits);
    return { ...knob, widthBits: bits, aloneSqnrDb: -10 * Math.log10(power) };
  });
  return { uniform, ...choice, knobs, trials };
}

/** The cheapest widths of one way to choose binary points. */
interface Found<T, M extends string> {
  readonly choice: Choice<T, M>;
  /** Of each knob's error alone, at the uniform width. */
  readonly powers: ReadonlyMap<string, number>;
  readonly model: ErrorModel;
}

/** Steps 2 to 4. Powers are those of each knob's error at the uniform width. */
function searchFrom<T, M extends string>(
  bench: Bench<T, M>,
  { method, widthBits, trial: trialOfUniform }: Uniform<T, M>,
): Found<T, M> {
  const { plan, evaluate, meets, onProgress } = bench;
  const many = Math.min(widthBits + spareBits, mostBits);
  const all = (bits: number): Map<string, number> =>
    new Map(plan.knobs.map((knob) => [knob.id, bits]));

  const powers = new Map<string, number>();
  const base = noiseOf(evaluate({ method, default: many, knobs: all(many) }));
  plan.knobs.forEach((knob, i) => {
    onProgress(`${method}: sensitivity of ${knob.id} (${i + 1} of ${plan.knobs.length})`);
    const knobs = all(many).set(knob.id, widthBits);
    const trial = evaluate({ method, default: many, knobs });
    powers.set(knob.id, Math.max(noiseOf(trial) - base, noiseFloor));
  });

  const rest = Math.min(widthBits + restBits, mostBits);
  let best: Choice<T, M> = {
    widths: { method, default: widthBits, knobs: all(widthBits) },
    trial: trialOfUniform,
  };
  const model = new ErrorModel(powers, widthBits);
  const total = [...powers.values()].reduce((a, b) => a + b, 0);
  let [low, high] = [Math.log2(total) - 6, Math.log2(total) + 6];
  for (let step = 0; step < budgetSteps; step++) {
    onProgress(`${method}: widths for an error budget (${step + 1} of ${budgetSteps})`);
    const middle = (low + high) / 2;
    const widths = { method, default: rest, knobs: widthsFor(plan, model, many, 2 ** middle) };
    const trial = evaluate(widths);
    if (!meets(trial)) {
      high = middle;
      continue;
    }
    low = middle;
    if (trial.cost < best.trial.cost) best = { widths, trial };
  }
  return { choice: exchange(bench, model, descend(bench, best), patience), powers, model };
}

/** Below this share of the signal's power an error cannot be told from the arithmetic's own. */
const noiseFloor = 1e-14;

function leastUniform<T, M extends string>(
  { evaluate, meets, onProgress }: Bench<T, M>,
  method: M,
): Uniform<T, M> | undefined {
  for (let widthBits = leastBits; widthBits <= mostBits; widthBits++) {
    onProgress(`${method}: all in ${widthBits} bits`);
    const trial = evaluate({ method, default: widthBits, knobs: new Map() });
    if (meets(trial)) return { method, widthBits, trial };
  }
  return undefined;
}

/** Widths by the steepest descent of cost against error, until the budget is spent. */
function widthsFor(
  plan: KnobPlan,
  model: ErrorModel,
  start: number,
  budget: number,
): Map<string, number> {
  const widths = new Map(plan.knobs.map((knob) => [knob.id, start]));
  let spent = model.predict(widths);
  for (;;) {
    let best: { id: string; gain: number; error: number } | undefined;
    for (const { id } of plan.knobs) {
      const bits = widths.get(id) as number;
      if (bits <= leastBits) continue;
      const error = model.powerAt(id, bits - 1) - model.powerAt(id, bits);
      if (spent + error > budget) continue;
      const gain = saving(plan.products, widths, id) / error;
      if (best === undefined || gain > best.gain) best = { id, gain, error };
    }
    if (best === undefined) return widths;
    widths.set(best.id, (widths.get(best.id) as number) - 1);
    spent += best.error;
  }
}

/** Bit operations that one bit less of a knob saves. */
function saving(
  products: readonly KnobProduct[],
  widths: ReadonlyMap<string, number>,
  id: string,
): number {
  let sum = 0;
  for (const { macs, sides } of products) {
    const [a, b] = sides;
    const widthOf = (side: string | undefined) => (side && widths.get(side)) || 1;
    if (a === id) sum += macs * widthOf(b);
    if (b === id) sum += macs * widthOf(a);
  }
  return sum;
}

/** Takes single bits away while the measured network meets the target. */
function descend<T, M extends string>(
  { plan, evaluate, meets, onProgress }: Bench<T, M>,
  from: Choice<T, M>,
): Choice<T, M> {
  let best = from;
  const done = new Set<string>();
  for (let isOpen = true; isOpen; ) {
    isOpen = false;
    for (const id of bySaving(plan, best.widths)) {
      const bits = best.widths.knobs.get(id) as number;
      if (done.has(id) || bits <= leastBits) continue;
      onProgress(`${best.widths.method}: ${id} with ${bits - 1} bits`);
      const widths = withBits(best.widths, id, bits - 1);
      const trial = evaluate(widths);
      if (meets(trial) && trial.cost < best.trial.cost) {
        best = { widths, trial };
        isOpen = true;
      } else done.add(id);
    }
  }
  return best;
}

function withBits<M extends string>(widths: Widths<M>, id: string, bits: number): Widths<M> {
  return { ...widths, knobs: new Map(widths.knobs).set(id, bits) };
}

/** Knobs by what a bit of them saves, the dearest first. */
function bySaving(plan: KnobPlan, { knobs }: Widths): string[] {
  return plan.knobs
    .map(({ id }) => ({ id, saves: saving(plan.products, knobs, id) }))
    .sort((a, b) => b.saves - a.saves || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
}
