import {
  isRegistered,
  levelsOf,
  type Netlist,
  type PipelineTiming,
  readsOf,
} from "../design/index.ts";

/**
 * Cuts a netlist into pipeline stages: as early as possible, with at most `maxLevels` levels of logic
 * between two registers. A net never straddles a register. All outputs leave in the same cycle, from
 * registers.
 *
 * @param hasInputRegister whether the inputs are registered before the first level
 */
export function scheduleStages(
  { cells, outputs }: Netlist,
  maxLevels: number,
  hasInputRegister: boolean,
): PipelineTiming {
  const cycle = new Int32Array(cells.length);
  const level = new Int32Array(cells.length);
  const start = hasInputRegister ? 1 : 0;
  cells.forEach(({ net }, wire) => {
    cycle[wire] = start;
    if (net.kind === "input" || net.kind === "const") return;
    let [at, below] = [start, 0];
    for (const read of readsOf(net)) {
      if (cells[read].net.kind === "const") continue;
      if (cycle[read] > at) [at, below] = [cycle[read], 0];
      if (cycle[read] === at) below = Math.max(below, level[read]);
    }
    const levels = levelsOf(net);
    const fits = below + levels <= maxLevels;
    const begin = fits ? at : at + 1;
    const end = fits ? below + levels : levels;
    if (isRegistered(net)) [cycle[wire], level[wire]] = [begin + 1, 0];
    else [cycle[wire], level[wire]] = [begin, end];
  });

  const isConst = (wire: number) => cells[wire].net.kind === "const";
  const depth = outputs.reduce((top, wire) => {
    if (isConst(wire)) return top;
    // A result with logic behind it, or an input that nothing registers, ends in a register of its own.
    return Math.max(top, cycle[wire] + (level[wire] > 0 ? 1 : 0));
  }, start);

  const lastRead = Int32Array.from(cycle);
  const read = (wire: number, at: number) => {
    if (!isConst(wire)) lastRead[wire] = Math.max(lastRead[wire], at);
  };
  for (const wire of outputs) read(wire, depth);
  // Readers come later, so that a chain of wires without logic passes its last reading on.
  for (let wire = cells.length - 1; wire >= 0; wire--) {
    const { net } = cells[wire];
    const begin = isRegistered(net) ? cycle[wire] - 1 : cycle[wire];
    const until = net.kind === "shift_left" ? lastRead[wire] : begin;
    for (const source of readsOf(net)) read(source, until);
  }
  return { cycle, lastRead, depth, hasInputRegister };
}

/** Registers one behind the other. */
export interface Delay {
  readonly widthBits: number;
  /** Registers to the first reader, or from one reader to the next. */
  readonly cycles: number;
}

/** The registers that a pipeline needs, those inside multipliers and memories left out. */
export function delaysOf({ cells, outputs }: Netlist, timing: PipelineTiming): Delay[] {
  const { cycle, depth, hasInputRegister } = timing;
  const reads: Set<number>[] = cells.map(() => new Set());
  for (const wire of outputs) reads[wire].add(depth);
  for (let wire = cells.length - 1; wire >= 0; wire--) {
    const { net } = cells[wire];
    const begin = isRegistered(net) ? cycle[wire] - 1 : cycle[wire];
    const times = net.kind === "shift_left" ? reads[wire] : [begin];
    for (const source of readsOf(net)) for (const time of times) reads[source].add(time);
  }
  return cells.flatMap(({ net, widthBits }, wire) => {
    if (net.kind === "const" || net.kind === "shift_left") return [];
    let from = net.kind === "input" && hasInputRegister ? 0 : cycle[wire];
    const delays: Delay[] = [];
    const times = reads[wire].size > 0 ? [...reads[wire]] : [cycle[wire]];
    for (const time of times.sort((a, b) => a - b)) {
      if (time > from) delays.push({ widthBits, cycles: time - from });
      from = Math.max(from, time);
    }
    return delays;
  });
}
