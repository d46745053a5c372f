import type { Resources } from "../../artifact/index.ts";
import { multiplierCode, mvuStages, pairedChain } from "../../hwlib/index.ts";
import type { EngineLayer } from "./engine-layer.ts";

/** One way to fold a layer onto an engine. */
export interface FoldingPoint {
  readonly simd: number;
  readonly pe: number;
  /** Vectors at once; with more than one, all results of each. */
  readonly rows: number;
  /** Cycles that an inference takes. */
  readonly cycles: number;
  readonly multiplier: number;
  /** DSP slices that sums of pairs of products run through; 1 elsewhere. */
  readonly chain: number;
  /** Of an engine in a loop: by how much its results come later than those of the fastest, in all steps. */
  readonly lagCycles: number;
  readonly memory: number;
  /** Depthwise: whether all taps of a window are multiplied at once. */
  readonly isParallel: boolean;
  readonly cost: Resources;
}

/** Estimates what an engine of some size takes. */
export type PointCost = (layer: EngineLayer, point: Omit<FoldingPoint, "cost">) => Resources;

/** What a user asks of one layer. */
export interface LayerFolding {
  readonly pe?: number;
  readonly simd?: number;
  /** Cycles that a vector may take. */
  readonly reuse?: number;
  /** Whether products may share DSP slices; they may where nothing is said. */
  readonly hasPairs?: boolean;
  /** Of a recurrent layer: whether its steps share one cell; absent: as rate and target want it. */
  readonly isStatic?: boolean;
  /** Beats that each FIFO before the layer's modules holds; absent: the least for full speed. */
  readonly fifoDepth?: number;
}

/**
 * Steps for each vector below which vectors are also taken side by side, each with all of its results: they are
 * needed where a vector in a cycle is too slow, and halve, third, quarter what is between one step and the next.
 */
const fewSteps = 4;

/** The fewest cycles in which any engine could make a layer. */
export function leastCycles(layer: EngineLayer): number {
  return Math.ceil(layer.vectors / (layer.rows.at(-1) ?? 1));
}

/** All intervals at which a cheaper folding of the layer becomes possible, up to some limit. */
export function candidateCycles(layer: EngineLayer, limit: number): number[] {
  const steps = new Set<number>();
  const { vectors, k, n } = layer;
  for (const sf of folds(k)) {
    for (const nf of folds(n)) {
      const cycles = vectors * sf * nf;
      if (cycles > limit) break;
      steps.add(cycles);
    }
  }
  for (const rows of layer.rows.slice(1)) {
    const own = layer.kind === "depthwise" ? [1] : folds(k);
    for (const sf of own) {
      const cycles = (vectors / rows) * sf;
      if (cycles < fewSteps * vectors && cycles <= limit) steps.add(cycles);
    }
  }
  return [...steps];
}

/** Numbers of steps into which a length can be cut, without those that waste lanes. */
export function folds(length: number): number[] {
  const result: number[] = [];
  for (let lanes = length; lanes >= 1; ) {
    const steps = Math.ceil(length / lanes);
    result.push(steps);
    // The next number of lanes that needs more steps.
    lanes = Math.ceil(length / steps) === lanes ? lanes - 1 : Math.ceil(length / steps);
    while (lanes >= 1 && Math.ceil(length / lanes) === steps) lanes--;
  }
  return result;
}

/**
 * The foldings of a layer that finish within `cycles` and of which none is worse than another in all
 * resources.
 */
export function foldingPoints(
  layer: EngineLayer,
  cycles: number,
  asked: LayerFolding,
  cost: PointCost,
): FoldingPoint[] {
  const points: FoldingPoint[] = [];
  const hasPairs = asked.hasPairs ?? true;
  const add = (point: Draft, mostLag = 0) => {
    for (const style of stylesOf(layer, point, hasPairs)) {
      if (style.lagCycles > mostLag) continue;
      const isSpread = point.cycles > layer.vectors;
      const lagCycles = style.lagCycles + (isSpread ? spreadLag * (layer.rounds ?? 0) : 0);
      for (const memory of [0, 1]) {
        const full = { ...point, ...style, lagCycles, memory };
        points.push({ ...full, cost: cost(layer, full) });
      }
    }
  };
  const { vectors, k, n, rounds } = layer;
  const limit = asked.reuse === undefined ? cycles : Math.min(cycles, vectors * asked.reuse);
  const isAsked = asked.pe !== undefined || asked.simd !== undefined;
  const within = isAsked ? Number.POSITIVE_INFINITY : limit;
  if (!isAsked) {
    // Also where there is more time: what fits an interval fits every longer one.
    const few = Math.min(limit, fewSteps * vectors - 1);
    for (const rows of layer.rows.slice(1)) {
      const isParallel = layer.kind === "depthwise";
      const sf = isParallel ? 1 : Math.min(k, Math.floor((few * rows) / vectors));
      const simd = Math.ceil(k / sf);
      const needed = (vectors / rows) * Math.ceil(k / simd);
      if (sf >= 1 && needed <= few) add({ simd, pe: n, rows, cycles: needed, isParallel });
    }
  }
  if (layer.kind === "depthwise") {
    for (let pe = 1; pe <= n; pe++) {
      if (n % pe !== 0 || (asked.pe !== undefined && pe !== asked.pe)) continue;
      for (const isParallel of [true, false]) {
        const needed = vectors * (n / pe) * (isParallel ? 1 : k);
        if (needed > within) continue;
        if (asked.simd !== undefined && isParallel !== asked.simd > 1) continue;
        add({ simd: isParallel ? k : 1, pe, rows: 1, cycles: needed, isParallel });
      }
    }
    return pareto(points);
  }
  const simds = asked.simd === undefined ? folds(k).map((sf) => Math.ceil(k / sf)) : [asked.simd];
  for (const simd of simds) {
    const sf = Math.ceil(k / simd);
    const styles = stylesOf(layer, { simd, pe: n }, hasPairs);
    for (const lag of new Set(styles.map(({ lagCycles }) => lagCycles))) {
      if (rounds !== undefined && sf === 1 && vectors + lag <= limit && !isAsked)
        add({ simd, pe: n, rows: 1, cycles: vectors, isParallel: false }, lag);
      const room = Math.floor((limit - lag - spreadLag * (rounds ?? 0)) / (vectors * sf));
      if (room < 1 && !isAsked) continue;
      const pe = asked.pe ?? Math.ceil(n / Math.max(1, Math.min(n, room)));
      const nf = Math.ceil(n / pe);
      add({ simd, pe, rows: 1, cycles: vectors * sf * nf, isParallel: false }, lag);
    }
  }
  return pareto(points);
}

type Style = Pick<FoldingPoint, "multiplier" | "chain" | "lagCycles">;
type Draft = Omit<FoldingPoint, "cost" | "memory" | keyof Style>;

/**
 * In a loop: cycles of a step that it is longer where results come in several beats. Those are cut to other lanes on
 * their way round, and a state is there with its last.
 */
const spreadLag = 3;
/** Stages of an engine up to which its length is not asked for: those of the shortest. */
const fewStages = 7;
/** In a loop chains may also be so short: their sums are made by adders, but come sooner. */
const shortChains = [2, 4];

/** How products can be made. */
function stylesOf(
  layer: EngineLayer,
  { simd, pe }: Pick<FoldingPoint, "simd" | "pe">,
  hasPairs: boolean,
): Style[] {
  const { kind, xBits, xSigned, wBits, rounds } = layer;
  const style = (multiplier: number, chain: number): Style => {
    const stages = mvuStages({ SIMD: simd, MULTIPLIER: multiplier, CHAIN: chain });
    const lagCycles =
      rounds === undefined || kind === "depthwise" ? 0 : rounds * Math.max(0, stages - fewStages);
    return { multiplier, chain, lagCycles };
  };
  const styles = [style(multiplierCode.lut, 1), style(multiplierCode.dsp, 1)];
  const isPaired = hasPairs && pairedChain({ X_W: xBits, X_SIGNED: xSigned, W_W: wBits }) >= 1;
  if (kind === "depthwise" || !isPaired || pe < 2) return styles;
  const longest = layer.chain(simd);
  const chains = new Set([longest]);
  if (rounds !== undefined)
    for (const short of shortChains) if (short < longest) chains.add(layer.chain(simd, short));
  return [...styles, ...[...chains].map((chain) => style(multiplierCode.pairedDsp, chain))];
}

const binding = ["lut", "ff", "dsp", "bram36"] as const;

/** Whether one costs no more than another in any resource. */
export function isNoWorse(a: Resources, b: Resources): boolean {
  return binding.every((kind) => a[kind] <= b[kind]);
}

function pareto(points: readonly FoldingPoint[]): FoldingPoint[] {
  const kept: FoldingPoint[] = [];
  const sorted = [...points].sort(
    (a, b) =>
      a.cost.dsp - b.cost.dsp ||
      a.cost.lut - b.cost.lut ||
      a.cost.bram36 - b.cost.bram36 ||
      a.cycles - b.cycles,
  );
  for (const point of sorted)
    if (!kept.some(({ cost }) => isNoWorse(cost, point.cost))) kept.push(point);
  return kept;
}
