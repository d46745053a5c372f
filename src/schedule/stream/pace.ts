import type { CycleModel } from "../../hwlib/index.ts";
import { dataflowOf } from "./dataflow.ts";
import type { NetworkBuilder } from "./network-builder.ts";

/** The node of a network that needs the most cycles for an inference, when nothing keeps it waiting. */
export interface Slowest {
  /** In the network's list of nodes. */
  readonly node: number;
  readonly cycles: number;
}

/**
 * What sets the pace of a network: each node is run by itself, with a beat at every input and room at every output.
 * Where none of them takes the whole interval, it is the way in which they wait for each other.
 */
export function slowestNode(network: Pick<NetworkBuilder, "nodes" | "edges">): Slowest {
  const { actors } = dataflowOf(network);
  let slowest: Slowest = { node: 0, cycles: 0 };
  actors.forEach(({ model, inputs, outputs }, node) => {
    const cycles = cyclesAlone(
      model,
      inputs.length,
      network.edges[outputs[0]].beats,
      outputs.length,
    );
    if (cycles > slowest.cycles) slowest = { node, cycles };
  });
  return slowest;
}

/**
 * Cycles from the end of one inference to the end of the next, when nothing waits.
 *
 * @param beats of an inference at the first output
 */
export function cyclesAlone(
  model: CycleModel,
  inputs: number,
  beats: number,
  outputs: number,
): number {
  const [offered, ready] = [2 ** inputs - 1, 2 ** outputs - 1];
  let [given, start, cycle] = [0, 0, 0];
  for (; given < 2 * beats; cycle++) {
    if (((model.step(offered, ready) >>> 16) & 1) === 0) continue;
    if (++given === beats) start = cycle;
  }
  return cycle - 1 - start;
}
