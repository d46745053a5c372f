import { assert } from "../../base/index.ts";
import type { CycleModel } from "../../hwlib/index.ts";

/** What moves beats: a module's handshakes, and the channels at its ports. */
export interface Actor {
  readonly name: string;
  readonly model: CycleModel;
  /** Channels by number, in the order of the module's ports. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/**
 * Actors joined by FIFOs. The channel `source` never runs dry, the channel `sink` never fills.
 */
export interface Dataflow {
  readonly actors: readonly Actor[];
  /** Names of the channels. */
  readonly channels: readonly string[];
  readonly source: number;
  readonly sink: number;
  /** Beats of one inference at the source and at the sink. */
  readonly inputBeats: number;
  readonly outputBeats: number;
}

export interface SimulationOptions {
  /** Inferences after which to stop, where no state comes back before. */
  readonly inferences: number;
  /** Spread the beats of each inference evenly over so many cycles at the source. Absent: as fast as they are taken. */
  readonly throttleCycles?: number;
  /**
   * Cycles without any transfer after which the network counts as dead; and so it does after some times as many
   * without a result, where beats go on to gather in a channel that never fills.
   */
  readonly patienceCycles: number;
  /** Stop when a state comes back; the interval is then exact. */
  readonly untilPeriodic?: boolean;
  /** Told the number of each inference that has left. */
  readonly onInference?: (count: number) => void;
}

export interface SimulationResult {
  /** Cycle of each inference's first beat at the source, and of its last beat at the sink. */
  readonly inputCycles: readonly number[];
  readonly outputCycles: readonly number[];
  /** The room that each channel needed: the beats it held, and the one that came. */
  readonly occupancy: Int32Array;
  /** Channels that were full when nothing moved any more. */
  readonly deadlock?: readonly number[];
  /** Cycles from inference to inference in the state that came back. */
  readonly intervalCycles?: number;
  readonly cycles: number;
}

const gatheringFactor = 16;

/** Room in a channel that never fills. */
export const unlimited = 2 ** 30;

/**
 * Runs the handshakes of a network, cycle by cycle; data does not matter to them. What an actor does in a
 * cycle depends on its own state and on the fill of its FIFOs at the cycle's start, so one pass over the
 * actors is one cycle, whatever their order.
 */
export function simulateDataflow(
  flow: Dataflow,
  depths: ArrayLike<number>,
  { inferences, throttleCycles, patienceCycles, untilPeriodic, onInference }: SimulationOptions,
): SimulationResult {
  const { actors, channels, source, sink, inputBeats, outputBeats } = flow;
  const fill = new Int32Array(channels.length);
  const occupancy = new Int32Array(channels.length);
  const room = Int32Array.from(depths);
  room[sink] = unlimited;
  const models = actors.map(({ model }) => model);
  for (const model of models) model.reset();
  const table = new ActorTable(actors);
  const { inStart, outStart, ports } = table;
  /** Actors that moved something in this cycle, and what. */
  const active = new Int32Array(actors.length);
  const moved = new Int32Array(actors.length);

  const inputCycles: number[] = [];
  const outputCycles: number[] = [];
  const seen = new Map<string, { inference: number; cycle: number }>();
  let sent = 0;
  let received = 0;
  let idle = 0;
  let lastResult = 0;
  let cycle = 0;
  let interval: number | undefined;
  if (throttleCycles === undefined) fill[source] = unlimited;
  for (; ; cycle++) {
    if (throttleCycles !== undefined) {
      const due = Math.floor((cycle * inputBeats) / throttleCycles) + 1;
      fill[source] = Math.max(0, due - sent);
    }
    let movers = 0;
    for (let a = 0; a < models.length; a++) {
      let inValid = 0;
      let outReady = 0;
      const [firstIn, firstOut, end] = [inStart[a], outStart[a], inStart[a + 1]];
      for (let p = firstIn; p < firstOut; p++)
        if (fill[ports[p]] > 0) inValid |= 1 << (p - firstIn);
      for (let p = firstOut; p < end; p++) {
        if (fill[ports[p]] < room[ports[p]]) outReady |= 1 << (p - firstOut);
      }
      const result = models[a].step(inValid, outReady);
      if (result === 0) continue;
      active[movers] = a;
      moved[movers++] = result;
    }
    let firstBeat = false;
    if (movers > 0) {
      idle = 0;
      // What is given comes before what is taken: a full FIFO takes nothing even while it gives.
      for (let m = 0; m < movers; m++) {
        const a = active[m];
        const given = moved[m] >>> 16;
        if (given === 0) continue;
        const [first, end] = [outStart[a], inStart[a + 1]];
        for (let p = first; p < end; p++) {
          if (((given >> (p - first)) & 1) === 0) continue;
          const channel = ports[p];
          const held = ++fill[channel];
          if (held > occupancy[channel]) occupancy[channel] = held;
          if (channel !== sink) continue;
          fill[sink] = 0;
          received++;
          lastResult = cycle;
          if (received % outputBeats === 0) {
            outputCycles.push(cycle);
            onInference?.(outputCycles.length);
          }
        }
      }
      for (let m = 0; m < movers; m++) {
        const a = active[m];
        const taken = moved[m] & 0xffff;
        if (taken === 0) continue;
        const [first, end] = [inStart[a], outStart[a]];
        for (let p = first; p < end; p++) {
          if (((taken >> (p - first)) & 1) === 0) continue;
          const channel = ports[p];
          fill[channel]--;
          if (channel !== source) continue;
          if (sent % inputBeats === 0) {
            inputCycles.push(cycle);
            firstBeat = true;
          }
          sent++;
          if (throttleCycles === undefined) fill[source] = unlimited;
        }
      }
    } else idle++;
    if (idle > patienceCycles || cycle - lastResult > gatheringFactor * patienceCycles) {
      const full = channels.flatMap((_, c) =>
        c !== source && c !== sink && fill[c] >= room[c] ? [c] : [],
      );
      return { inputCycles, outputCycles, occupancy, deadlock: full, cycles: cycle };
    }
    if (outputCycles.length >= inferences) break;
    if (firstBeat && untilPeriodic && outputCycles.length > 0) {
      const key = `${fill.join()};${models.map((model) => model.stateKey()).join(";")}`;
      const known = seen.get(key);
      const inference = inputCycles.length;
      if (known !== undefined) {
        interval = (cycle - known.cycle) / (inference - known.inference);
        break;
      }
      seen.set(key, { inference, cycle });
    }
  }
  return {
    inputCycles,
    outputCycles,
    occupancy,
    ...(interval !== undefined && { intervalCycles: interval }),
    cycles: cycle + 1,
  };
}

/** The channels of all ports in one array: inputs of actor a, its outputs, then those of the next. */
class ActorTable {
  readonly inStart: Int32Array;
  readonly outStart: Int32Array;
  readonly ports: Int32Array;

  constructor(actors: readonly Actor[]) {
    this.inStart = new Int32Array(actors.length + 1);
    this.outStart = new Int32Array(actors.length);
    const ports: number[] = [];
    actors.forEach(({ name, inputs, outputs }, a) => {
      assert(inputs.length < 16 && outputs.length < 16, `${name} has more than 15 ports a side`);
      this.inStart[a] = ports.length;
      ports.push(...inputs);
      this.outStart[a] = ports.length;
      ports.push(...outputs);
    });
    this.inStart[actors.length] = ports.length;
    this.ports = Int32Array.from(ports);
  }
}
