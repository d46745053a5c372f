import type { Resources } from "../artifact/index.ts";
import {
  addressBits,
  type Cell,
  isRegistered,
  type PipelineSegment,
  readsOf,
} from "../design/index.ts";
import type { CostModel } from "./cost-model.ts";
import type { Scope } from "./formula.ts";
import { registerBits } from "./stages.ts";

/** Adds what unrolled logic takes. */
export function addPipeline(
  model: CostModel,
  { netlist, timing }: Pick<PipelineSegment, "netlist" | "timing">,
  add: (cost: Resources) => void,
): void {
  for (const cell of netlist.cells) {
    const { net } = cell;
    if (net.kind === "input" || net.kind === "const" || net.kind === "shift_left") continue;
    const name = net.kind === "table" && isRegistered(net) ? "rom" : net.kind;
    add(model.net(name, netScope(cell, netlist.cells)));
  }
  const valid = timing.depth;
  add({ lut: valid > 0 ? 1 : 0, ff: registerBits(netlist, timing) + valid, dsp: 0, bram36: 0 });
}

function netScope({ net, widthBits }: Cell, cells: readonly Cell[]): Scope {
  const [a = 0, b = 0] = readsOf(net).map((wire) => cells[wire].widthBits);
  const scope = { width: widthBits, a, b, carry: 0, dropped: 0, rounds: 0, limits: 0, address: 0 };
  switch (net.kind) {
    case "add": {
      // Low bits pass by where only one operand has them, unless it is the one that is taken away.
      const passing = net.shiftB > 0 ? net.shiftB : net.subtract ? 0 : net.shiftA;
      return { ...scope, carry: Math.max(1, widthBits - passing) };
    }
    case "requantize":
      return {
        ...scope,
        dropped: Math.max(0, net.shift),
        rounds: net.rounding === "TRN" || net.shift <= 0 ? 0 : 1,
        limits: net.overflow === "WRAP" ? 0 : 1,
      };
    case "clamp":
      return { ...scope, limits: net.hi < cells[net.a].hi ? 1 : 0 };
    case "table":
      return { ...scope, address: addressBits(net.values.length) };
    default:
      return scope;
  }
}
