import type { Resources } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import type { StreamEdge } from "../../design/index.ts";
import { originText } from "../../ir/index.ts";
import type { CostModel } from "../cost-model.ts";
import { networkCost } from "./cost.ts";
import { dataflowOf } from "./dataflow.ts";
import {
  findDeadlock,
  leastCommonDepth,
  type SizedFifos,
  sizeFifos,
  withDepths,
} from "./depths.ts";
import type { NetworkBuilder } from "./network-builder.ts";
import { unlimited } from "./simulate.ts";
import { fits } from "./solve.ts";
import type { Budget } from "./target.ts";

/** A network whose FIFOs have their depths and their kinds of memory. */
export interface FifoPlan {
  readonly edges: readonly StreamEdge[];
  readonly latencyCycles: number;
  readonly intervalCycles: number;
  /** What the whole network takes. */
  readonly total: Resources;
}

export interface FifoOptions {
  /** Cycles that the slowest engine needs for an inference, about. */
  readonly interval: number;
  readonly model: CostModel;
  readonly budget: Budget;
  /** Depths that are set by hand for all FIFOs before the modules of a node of the model, by its name. */
  readonly asked: ReadonlyMap<string, number>;
  readonly onProgress: (step: string) => void;
}

/**
 * Finds the depths of all FIFOs, and how fast the network is with them.
 *
 * @throws N2F_DESIGN_DEADLOCK where the network stands still, which only depths that are set by hand can make it do
 */
export function planFifos(
  network: NetworkBuilder,
  { interval, model, budget, asked, onProgress }: FifoOptions,
): FifoPlan {
  const { nodes, edges } = network;
  const flow = dataflowOf(network);
  const widths = edges.map(({ lanes, widthBits }) => lanes * widthBits);
  const patienceCycles = 4 * interval + 20_000;
  let sized: SizedFifos = sizeFifos(flow, widths, interval, patienceCycles, onProgress);
  const byHand = edges.map(({ to, from }) =>
    from.node < 0 || to.node < 0 ? undefined : asked.get(nodes[to.node].origin.node),
  );
  if (byHand.some((depth) => depth !== undefined)) {
    const depths = sized.depths.map((depth, channel) => byHand[channel] ?? depth);
    sized = withDepths(flow, depths, interval, patienceCycles);
  }
  if (sized.isStuck) return reportDeadlock(network, sized.depths, byHand, patienceCycles);
  const { depths, latencyCycles, intervalCycles } = sized;
  return { ...placeFifos(network, depths, model, budget), latencyCycles, intervalCycles };
}

/** LUTs that one block RAM may save at least: about their ratio on the devices, and less where LUTs are short. */
const lutsPerBlockRam = [500, 150, 50];

/** The kind of memory of each FIFO: block RAM where it saves enough. */
function placeFifos(
  { nodes, edges }: NetworkBuilder,
  depths: ArrayLike<number>,
  model: CostModel,
  budget: Budget,
): Pick<FifoPlan, "edges" | "total"> {
  const place = (price: number) => {
    const placed = edges.map((edge, at): StreamEdge => {
      const depth = depths[at];
      const cost = (STYLE: 0 | 1) =>
        model.module("n2f_fifo", { WIDTH: edge.lanes * edge.widthBits, DEPTH: depth, STYLE });
      const [lutRam, blockRam] = [cost(0), cost(1)];
      const isBlockRam = lutRam.lut - blockRam.lut > price * blockRam.bram36;
      return { ...edge, depth, isBlockRam };
    });
    return { edges: placed, total: networkCost(model, { nodes, edges: placed }) };
  };
  const usual = place(lutsPerBlockRam[0]);
  if (fits(usual.total, budget)) return usual;
  return lutsPerBlockRam.map(place).find(({ total }) => fits(total, budget)) ?? usual;
}

function reportDeadlock(
  { nodes, edges }: NetworkBuilder,
  depths: Int32Array,
  byHand: readonly (number | undefined)[],
  patienceCycles: number,
): never {
  const flow = dataflowOf({ nodes, edges });
  const deadlock = findDeadlock(flow, depths, patienceCycles);
  if (deadlock === undefined) throw new Error("a network that stands still runs on a second look");
  const { cycle } = deadlock;
  const isCure = deadlock.depth < unlimited;
  // One by itself does not do: those that are set by hand, all of a node at once.
  const own = isCure ? [] : byHand.flatMap((depth, at) => (depth === undefined ? [] : [at]));
  const common = isCure ? deadlock.depth : leastCommonDepth(flow, depths, own, patienceCycles);
  const channel = isCure ? deadlock.channel : (own.find((at) => depths[at] < (common ?? 0)) ?? 0);
  const { from, to } = edges[channel];
  const name = (node: number) => (node < 0 ? "the packets" : nodes[node].name);
  const { origin } = nodes[Math.max(0, to.node)];
  const where = `the FIFO from ${name(from.node)} to ${name(to.node)}, full with ${depths[channel]} beats`;
  const needs = isCure ? `needs ${common}` : "is one of several that are too small";
  return fail(
    "N2F_DESIGN_DEADLOCK",
    `after ${cycle - patienceCycles} cycles nothing moves any more: ${where}, ${needs}`,
    {
      at: originText(origin),
      hint:
        common === undefined
          ? "Leave out FifoDepth: the least depths for full speed are then found."
          : `Set FifoDepth of ${origin.node} to ${common} or more, or leave it out: the least depths for full speed are then found.`,
    },
  );
}
