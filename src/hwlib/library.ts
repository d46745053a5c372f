import { assert } from "../base/index.ts";
import { adderTree } from "./adder-tree.ts";
import { axisPack } from "./axis-pack.ts";
import { axisUnpack } from "./axis-unpack.ts";
import { dot } from "./dot.ts";
import { lut } from "./lut.ts";
import { matvec } from "./matvec.ts";
import type { HardwareModule } from "./module.ts";
import { pipeValid } from "./pipe-valid.ts";
import { requantize } from "./requantize.ts";
import { rom } from "./rom.ts";

/** Every module of `hw/rtl`, by name. */
export const library: ReadonlyMap<string, HardwareModule> = new Map(
  [adderTree, dot, requantize, lut, rom, matvec, axisPack, axisUnpack, pipeValid].map(
    (module): [string, HardwareModule] => [module.name, module],
  ),
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
