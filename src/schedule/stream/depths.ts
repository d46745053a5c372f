import { type Dataflow, type SimulationResult, simulateDataflow, unlimited } from "./simulate.ts";

/** Depths of all FIFOs, and what the network does with them. */
export interface SizedFifos {
  readonly depths: Int32Array;
  readonly latencyCycles: number;
  readonly intervalCycles: number;
  /** Whether one beat less in any of the FIFOs that were tried makes the network slower. */
  readonly isLeast: boolean;
  /** Whether nothing moves any more at some time; latency and interval mean nothing then. */
  readonly isStuck: boolean;
}

/** A network that comes to a standstill. */
export interface Deadlock {
  /** The channel that has to be deeper. */
  readonly channel: number;
  /** The depth with which the network runs. */
  readonly depth: number;
  readonly cycle: number;
}

/** Steps of actors that sizing may spend on finding out where fewer beats do: about a second. */
const shrinkBudget = 30_000_000;
const leastDepth = 2;

/**
 * The least depths with which the network runs at full speed.
 *
 * First the FIFOs are unlimited and the source is held to the network's own interval: no FIFO needs more than
 * it holds then. From there each is made as small as it can be without loss, the widest first.
 *
 * @param widths bits of a beat of each channel
 * @param interval cycles that the slowest actor needs for an inference, about
 */
export function sizeFifos(
  flow: Dataflow,
  widths: readonly number[],
  interval: number,
  patienceCycles: number,
  onProgress: (step: string) => void = () => {},
): SizedFifos {
  let step = "sizing the FIFOs";
  onProgress(step);
  const onInference = (count: number) => onProgress(`${step}, inference ${count}`);
  const run = (depths: ArrayLike<number>) =>
    simulateDataflow(flow, depths, { ...settled(interval, patienceCycles), onInference });
  let budget = shrinkBudget;
  const spend = (result: SimulationResult) => {
    budget -= result.cycles * flow.actors.length;
    return result;
  };

  const open = new Int32Array(flow.channels.length).fill(unlimited);
  let pace = interval;
  let free = runPaced(flow, open, pace, patienceCycles, onInference);
  const own = spacing(free.outputCycles);
  if (own > pace) {
    pace = Math.ceil(own);
    free = runPaced(flow, open, pace, patienceCycles, onInference);
  }
  // The source delivers as fast as it can, which fills the first FIFOs; a beat more lets them breathe.
  let depths = free.occupancy.map((held) => Math.max(leastDepth, held));
  let best = spend(run(depths));
  for (let more = 1; best.deadlock !== undefined || intervalOf(best) > pace; more *= 2) {
    const deeper = free.occupancy.map((held) => Math.max(leastDepth, held + more));
    const result = spend(run(deeper));
    if (result.deadlock === undefined) {
      if (best.deadlock !== undefined || intervalOf(result) < intervalOf(best)) {
        [depths, best] = [deeper, result];
      } else if (more >= 4) break;
    }
    if (more > 64) break;
  }
  const limit = intervalOf(best);

  const keeps = (trial: Int32Array) => {
    const result = spend(run(trial));
    return result.deadlock === undefined && intervalOf(result) <= limit ? result : undefined;
  };
  const order = flow.channels
    .map((_, channel) => channel)
    .filter((channel) => channel !== flow.source && channel !== flow.sink)
    .filter((channel) => depths[channel] > leastDepth)
    .sort((a, b) => widths[b] * depths[b] - widths[a] * depths[a] || a - b);
  let isLeast = best.deadlock === undefined;
  for (const [at, channel] of (isLeast ? order : []).entries()) {
    step = `sizing the FIFOs: ${at + 1} of ${order.length}`;
    onProgress(step);
    // What an unhurried run holds is mostly what is needed: down in growing steps, then by bisection.
    let [low, high] = [leastDepth, depths[channel]];
    for (let less = 1; low < high; ) {
      if (budget <= 0) {
        isLeast = false;
        break;
      }
      const tried = less > 0 ? Math.max(low, high - less) : (low + high) >> 1;
      const trial = Int32Array.from(depths);
      trial[channel] = tried;
      const result = keeps(trial);
      if (result === undefined) [low, less] = [tried + 1, 0];
      else [high, best, depths, less] = [tried, result, trial, 2 * less];
    }
  }
  return { ...speed(best), depths, isLeast };
}

/** How fast a network is with depths that are given. */
export function withDepths(
  flow: Dataflow,
  depths: Int32Array,
  interval: number,
  patienceCycles: number,
): SizedFifos {
  const result = simulateDataflow(flow, depths, settled(interval, patienceCycles));
  return { ...speed(result), depths, isLeast: false };
}

/** Cycles of a run, at least: enough for many inferences of short intervals, which take long to settle. */
const leastRun = 20_000;

/** Runs until a state comes back, or for as many inferences as show the interval. */
function settled(interval: number, patienceCycles: number) {
  const inferences = Math.max(12, Math.ceil(leastRun / interval));
  return { inferences, patienceCycles, untilPeriodic: true };
}

function speed(result: SimulationResult) {
  const isStuck = result.deadlock !== undefined;
  const { inputCycles, outputCycles } = result;
  return {
    latencyCycles: isStuck ? 0 : outputCycles[0] - inputCycles[0],
    intervalCycles: isStuck ? 0 : intervalOf(result),
    isStuck,
  };
}

/** A run in which nothing fills, at a pace that is kept by the source. */
function runPaced(
  flow: Dataflow,
  depths: ArrayLike<number>,
  pace: number,
  patienceCycles: number,
  onInference: (count: number) => void,
): SimulationResult {
  return simulateDataflow(flow, depths, {
    inferences: 4,
    throttleCycles: pace,
    patienceCycles: patienceCycles + pace,
    onInference,
  });
}

/** The exact interval where a state came back, and the spacing of the last inferences elsewhere. */
export function intervalOf(result: SimulationResult): number {
  return result.intervalCycles ?? spacing(result.outputCycles);
}

function spacing(cycles: readonly number[]): number {
  const last = cycles.length - 1;
  const middle = Math.floor(last / 2);
  return last <= middle ? 0 : (cycles[last] - cycles[middle]) / (last - middle);
}

/**
 * Why a network stands still with some depths, and what cures it: of the full channels, the one that is
 * enough when it alone is deeper, and how deep. Nothing where the network runs.
 */
export function findDeadlock(
  flow: Dataflow,
  depths: ArrayLike<number>,
  patienceCycles: number,
): Deadlock | undefined {
  const options = { inferences: 3, patienceCycles };
  const stuck = simulateDataflow(flow, depths, options);
  if (stuck.deadlock === undefined) return undefined;
  let best: Deadlock | undefined;
  for (const channel of stuck.deadlock) {
    const trial = Int32Array.from(depths);
    trial[channel] = unlimited;
    const result = simulateDataflow(flow, trial, options);
    if (result.deadlock !== undefined) continue;
    let [low, high] = [depths[channel] + 1, result.occupancy[channel]];
    while (low < high) {
      const middle = (low + high) >> 1;
      trial[channel] = middle;
      if (simulateDataflow(flow, trial, options).deadlock === undefined) high = middle;
      else low = middle + 1;
    }
    if (best === undefined || high - depths[channel] < best.depth - depths[best.channel]) {
      best = { channel, depth: high, cycle: stuck.cycles };
    }
  }
  return (
    best ?? { channel: stuck.deadlock[0] ?? flow.source, depth: unlimited, cycle: stuck.cycles }
  );
}

/**
 * The least depth of several channels with which a network runs that stands still with smaller ones; nothing where they
 * are not the cause.
 */
export function leastCommonDepth(
  flow: Dataflow,
  depths: Int32Array,
  channels: readonly number[],
  patienceCycles: number,
): number | undefined {
  const run = (depth: number) => {
    const trial = Int32Array.from(depths);
    for (const channel of channels) trial[channel] = Math.max(depth, depths[channel]);
    return simulateDataflow(flow, trial, { inferences: 3, patienceCycles });
  };
  const free = run(unlimited);
  if (free.deadlock !== undefined) return undefined;
  let low = Math.min(...channels.map((channel) => depths[channel])) + 1;
  let high = Math.max(low, ...channels.map((channel) => free.occupancy[channel]));
  while (low < high) {
    const middle = (low + high) >> 1;
    if (run(middle).deadlock === undefined) high = middle;
    else low = middle + 1;
  }
  return high;
}
