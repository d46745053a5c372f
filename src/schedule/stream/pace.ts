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
    const beats = network.edges[outputs[0]].beats;
    const [offered, ready] = [2 ** inputs.length - 1, 2 ** outputs.length - 1];
    let [given, first, cycle] = [0, 0, 0];
    // From the end of an inference to the end of the next.
    for (; given < 2 * beats; cycle++) {
      if ((model.step(offered, ready) >>> 16) & 1) given++;
      if (given <= beats) first = cycle;
    }
    const cycles = cycle - 1 - first;
    if (cycles > slowest.cycles) slowest = { node, cycles };
  });
  return slowest;
}
