import type { KnobPlan, KnobProduct } from "./knobs.ts";

/** Widths in bits, of everything and of what has a knob, and the way binary points are chosen for them. */
export interface Widths<M extends string = string> {
  readonly method: M;
  readonly default: number;
  readonly knobs: ReadonlyMap<string, number>;
}

/** How one choice of widths came out. */
export interface Trial<T> {
  /** Infinite where there is no error at all. */
  readonly sqnrDb: number;
  /** Share of inferences with the float network's greatest output; 1 where there is one output only. */
  readonly agreement: number;
  /** Bit operations of an inference. */
  readonly cost: number;
  readonly result: T;
}

/** Widths and how they came out. */
export interface Choice<T, M extends string> {
  readonly widths: Widths<M>;
  readonly trial: Trial<T>;
}

/** What all steps of a search use. */
export interface Bench<T, M extends string> {
  readonly plan: KnobPlan;
  readonly evaluate: (widths: Widths<M>) => Trial<T> | undefined;
  readonly meets: (trial: Trial<T> | undefined) => trial is Trial<T>;
  readonly onProgress: (step: string) => void;
}

export const [leastBits, mostBits] = [2, 24];

/** Error power over signal power; 1 where nothing could be measured. */
export function noiseOf(trial: Trial<unknown> | undefined): number {
  return trial === undefined ? 1 : 10 ** (-trial.sqnrDb / 10);
}

/** Bit operations of the products whose widths are chosen, up to what weights of few bits save. */
export function bitOperations(
  products: readonly KnobProduct[],
  widths: ReadonlyMap<string, number>,
): number {
  const widthOf = (side: string | undefined) => (side && widths.get(side)) || 1;
  return products.reduce((sum, { macs, sides: [a, b] }) => sum + macs * widthOf(a) * widthOf(b), 0);
}
