import { assert } from "../base/index.ts";
import { adderTree } from "./adder-tree.ts";
import { axisLanesIn } from "./axis-lanes-in.ts";
import { axisLanesOut } from "./axis-lanes-out.ts";
import { axisPack } from "./axis-pack.ts";
import { axisUnpack } from "./axis-unpack.ts";
import { concat } from "./concat.ts";
import { constants } from "./constants.ts";
import { depthwise } from "./depthwise.ts";
import { dot } from "./dot.ts";
import { dotLut } from "./dot-lut.ts";
import { dotPair } from "./dot-pair.ts";
import { fifo } from "./fifo.ts";
import { fork } from "./fork.ts";
import { join } from "./join.ts";
import { loop } from "./loop.ts";
import { lut } from "./lut.ts";
import { matmul2 } from "./matmul2.ts";
import { matvec } from "./matvec.ts";
import type { HardwareModule } from "./module.ts";
import { mvu } from "./mvu.ts";
import { mvuWeights } from "./mvu-weights.ts";
import { pad } from "./pad.ts";
import { pairSlice } from "./pair-slice.ts";
import { pipeValid } from "./pipe-valid.ts";
import { pool } from "./pool.ts";
import { reduce } from "./reduce.ts";
import { reduceLanes } from "./reduce-lanes.ts";
import { reduceTree } from "./reduce-tree.ts";
import { reorder } from "./reorder.ts";
import { requantize } from "./requantize.ts";
import { rom } from "./rom.ts";
import { romBlock } from "./rom-block.ts";
import { scale } from "./scale.ts";
import { slice } from "./slice.ts";
import { slicer } from "./slicer.ts";
import { split } from "./split.ts";
import { threshold } from "./threshold.ts";
import { upsample } from "./upsample.ts";
import { width } from "./width.ts";
import { windowLine } from "./window-line.ts";
import { windowMem } from "./window-mem.ts";

/** Every module of `hw/rtl`, by name. */
export const library: ReadonlyMap<string, HardwareModule> = new Map(
  [
    ...[adderTree, dot, requantize, lut, rom, constants, matvec, axisPack, axisUnpack, pipeValid],
    ...[dotLut, pairSlice, dotPair, romBlock, mvuWeights, mvu, windowLine, windowMem],
    ...[slicer, reduceTree, depthwise, pool, reduce, reduceLanes, scale, threshold, matmul2],
    ...[fifo, fork, join, concat, split, width, axisLanesIn, axisLanesOut],
    ...[slice, pad, upsample, reorder, loop],
  ].map((module): [string, HardwareModule] => [module.name, module]),
);

/**
 * The files (relative to `hw/rtl`) of some modules and of all that they use, each once, what is used
 * before what uses it.
 */
export function moduleFiles(names: Iterable<string>): string[] {
  const files = new Set<string>();
  const visit = (name: string): void => {
    const module = library.get(name);
    assert(module !== undefined, `there is no hardware module ${name}`);
    if (files.has(module.file)) return;
    module.uses.forEach(visit);
    files.add(module.file);
  };
  for (const name of names) visit(name);
  return [...files];
}
