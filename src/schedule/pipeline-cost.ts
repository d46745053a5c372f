import type { Resources } from "../artifact/index.ts";
import {
  addressBits,
  type Cell,
  isRegistered,
  type Netlist,
  type PipelineSegment,
  type PipelineTiming,
  readsOf,
} from "../design/index.ts";
import type { CostModel } from "./cost-model.ts";
import type { Scope } from "./formula.ts";
import { delaysOf } from "./stages.ts";
import { tableLuts } from "./table-luts.ts";

/** Adds what unrolled logic takes. */
export function addPipeline(
  model: CostModel,
  { netlist, timing }: Pick<PipelineSegment, "netlist" | "timing">,
  add: (cost: Resources) => void,
): void {
  const hidden = hiddenChoices(netlist, timing);
  netlist.cells.forEach((cell, wire) => {
    const { net } = cell;
    if (net.kind === "input" || net.kind === "const" || net.kind === "shift_left") return;
    if (hidden.has(wire)) return;
    const name = net.kind === "table" && isRegistered(net) ? "rom" : net.kind;
    add(model.net(name, netScope(cell, netlist.cells)));
  });
  for (const { widthBits, cycles } of delaysOf(netlist, timing))
    add(model.net("delay", { width: widthBits, cycles }));
  const valid = timing.depth;
  add({ lut: valid > 0 ? 1 : 0, ff: valid, dsp: 0, bram36: 0 });
}

/**
 * Choices that share the LUTs of what is behind them: one of three has two conditions, five inputs in all; and an
 * adder takes the choice of one operand into its LUTs.
 */
function hiddenChoices({ cells, outputs }: Netlist, { cycle }: PipelineTiming): Set<number> {
  const reads = new Int32Array(cells.length);
  for (const wire of outputs) reads[wire]++;
  for (const { net } of cells) for (const wire of readsOf(net)) reads[wire]++;
  const hidden = new Set<number>();
  const hiding = new Set<number>();
  cells.forEach(({ net }, wire) => {
    if (net.kind !== "choose" && net.kind !== "add") return;
    const before = [net.a, net.b].find(
      (one) =>
        cells[one].net.kind === "choose" &&
        reads[one] === 1 &&
        cycle[one] === cycle[wire] &&
        (net.kind === "add" || !hiding.has(one)),
    );
    if (before === undefined) return;
    hidden.add(before);
    hiding.add(wire);
  });
  return hidden;
}

function netScope({ net, widthBits }: Cell, cells: readonly Cell[]): Scope {
  const [a = 0, b = 0] = readsOf(net).map((wire) => cells[wire].widthBits);
  const scope = {
    width: widthBits,
    a,
    b,
    carry: 0,
    dropped: 0,
    rounds: 0,
    limits: 0,
    address: 0,
    luts: 0,
  };
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
      return {
        ...scope,
        address: addressBits(net.values.length),
        luts: tableLuts(net.values, net.lo, widthBits),
      };
    default:
      return scope;
  }
}
