import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Bundle, bundlePaths } from "../../artifact/index.ts";
import {
  cached,
  contentKey,
  type RunOptions,
  requireTool,
  runTool,
  timeTool,
  toolVersion,
} from "../../tools/index.ts";

/** A simulator that is ready to run, and where its memory files are. */
export interface SimulatorBuild {
  readonly program: string;
  readonly folder: string;
  readonly version: string;
  readonly wasBuilt: boolean;
  /** Processor time of the build; 0 where the cache had it. */
  readonly cpuSeconds: number;
}

/**
 * Few checks and full inlining: the model is built to be run. Random initial values are left out because
 * everything that matters is reset. Functions are kept short (300 is flat between 150 and 1000): the C++
 * compiler's time grows faster than their length, to three times as much for 24,000 adders in one.
 */
const verilatorFlags = [
  "--cc",
  "-O3",
  "--x-assign",
  "fast",
  "--x-initial",
  "fast",
  "--noassert",
  "-Wno-fatal",
  "-Wno-lint",
  "--output-split",
  "20000",
  "--output-split-cfuncs",
  "300",
];
const compileFlags = [
  "-std=gnu++17",
  "-faligned-new",
  "-w",
  "-DVM_COVERAGE=0",
  "-DVM_SC=0",
  "-DVM_TRACE=0",
];

/**
 * For code that runs in every cycle: `-Og` and the few passes that make it fast. Two thirds of the time
 * that `-O1` takes to compile, and within five percent of its speed; `-O2` is no faster.
 */
const fastFlags = [
  "-Og",
  "-ftree-ter",
  "-ftree-fre",
  "-ftree-dse",
  "-fdse",
  "-ftree-coalesce-vars",
  "-fif-conversion",
];
/** For code that runs once. */
const slowFlags = ["-O0"];
const libraryFlags = ["-O2"];

/** Sign extension in two shifts, instead of the mask and negation of the library: half the instructions. */
const signExtension = `#include "verilated.h"
#undef VL_EXTENDS_II
#define VL_EXTENDS_II(obits, lbits, x) \\
  ((IData)((int32_t)((IData)(x) << (32 - (lbits))) >> (32 - (lbits))))
`;

/**
 * Verilates a bundle and compiles the model, or takes it from the cache, whose key is everything that goes
 * in. All code that runs often is compiled as one unit, all that runs once without optimization: a third
 * of the time that Verilator's own makefile takes. The entry of the cache needs nothing outside itself.
 *
 * @throws N2F_TOOL_MISSING, N2F_TOOL_FAILED
 */
export async function buildRtl(
  bundle: Bundle,
  onProgress: (step: string) => void,
): Promise<SimulatorBuild> {
  const verilator = requireTool("verilator");
  const compiler = requireTool("g++");
  const version = await toolVersion("verilator");
  const { top, sources } = bundle.manifest.kernel;
  const files = rtlFiles(bundle);
  const key = contentKey([
    version,
    await toolVersion("g++"),
    ...verilatorFlags,
    ...compileFlags,
    ...fastFlags,
    ...slowFlags,
    signExtension,
    top,
    ...sources,
    ...[...files].flat(),
  ]);
  const clock = new BuildClock();
  const { folder, wasBuilt } = await cached(`verilator-${key}`, async (work) => {
    for (const [name, bytes] of files) writeFileSync(join(work, name), bytes);
    onProgress("Verilator: translating");
    await clock.run(
      verilator,
      [...verilatorFlags, "--top-module", top, "--Mdir", "model", ...sources],
      { cwd: work },
    );
    const include = await includeFolder(verilator);
    const model = join(work, "model");
    const units = writeUnits(model);
    onProgress("Verilator: compiling the model");
    const compile = async ({ name, flags }: Unit) => {
      const includes = [`-I${include}`, `-I${join(include, "vltstd")}`, "-I."];
      const object = `${name}.o`;
      const args = [...compileFlags, ...flags, ...includes, "-c", `${name}.cxx`, "-o", object];
      await clock.run(compiler, args, { cwd: model });
      return object;
    };
    const [library, ...objects] = await Promise.all([
      buildLibrary(compiler, include, await toolVersion("g++"), version, clock),
      ...units.map(compile),
    ]);
    const parts = [...objects, ...library];
    await clock.run(compiler, [...parts, "-o", "../simulate", "-pthread"], { cwd: model });
    rmSync(model, { recursive: true });
  });
  return {
    program: join(folder, "simulate"),
    folder,
    version,
    wasBuilt,
    cpuSeconds: clock.cpuSeconds,
  };
}

/** Adds up what the programs of a build took. */
class BuildClock {
  cpuSeconds = 0;

  async run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { output, cpuSeconds } = await timeTool(program, args, options);
    this.cpuSeconds += cpuSeconds;
    return output;
  }
}

async function includeFolder(verilator: string): Promise<string> {
  return join((await runTool(verilator, ["--getenv", "VERILATOR_ROOT"])).trim(), "include");
}

/** Below this a second unit costs more, by the headers, than its optimization would. */
const smallBytes = 200_000;
/** Code that runs often is compiled in parts of about this at least, as many at the same time as there are processors. */
const partBytes = 1_000_000;

interface Unit {
  readonly name: string;
  readonly flags: readonly string[];
}

/** Puts what Verilator wrote into two units: what runs in every cycle, and what runs once. */
function writeUnits(model: string): Unit[] {
  const parts = readdirSync(model)
    .filter((name) => name.endsWith(".cpp"))
    .sort();
  const size = parts.reduce((sum, name) => sum + statSync(join(model, name)).size, 0);
  const isSlow = (name: string) =>
    size > smallBytes && (name.includes("Slow") || name.includes("__Syms"));
  const hot = equalParts(
    model,
    parts.filter((name) => !isSlow(name)),
  );
  const slow = parts.filter(isSlow);
  writeFileSync(join(model, "extends.h"), signExtension);
  return [
    ...hot.map((members, part) => ({
      name: `fast${part}`,
      flags: fastFlags,
      members: ["extends.h", ...members, ...(part === 0 ? ["../main.cpp"] : [])],
    })),
    { name: "slow", flags: slowFlags, members: slow },
  ].flatMap(({ name, flags, members }) => {
    if (members.length === 0) return [];
    const text = members.map((member) => `#include "${member}"\n`).join("");
    writeFileSync(join(model, `${name}.cxx`), text);
    return [{ name, flags }];
  });
}

/** Files in as many runs of about the same bytes as can be compiled at once; one where there is little to do. */
function equalParts(model: string, names: readonly string[]): string[][] {
  const sizes = names.map((name) => statSync(join(model, name)).size);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const count = Math.max(1, Math.min(availableParallelism(), Math.floor(total / partBytes)));
  const parts = Array.from({ length: count }, (): string[] => []);
  let before = 0;
  names.forEach((name, at) => {
    const middle = before + sizes[at] / 2;
    parts[Math.min(count - 1, Math.floor((middle * count) / total))].push(name);
    before += sizes[at];
  });
  return parts.filter((part) => part.length > 0);
}

/** Verilator's own run-time library, compiled once for all models. */
async function buildLibrary(
  compiler: string,
  include: string,
  compilerVersion: string,
  version: string,
  clock: BuildClock,
): Promise<string[]> {
  const parts = ["verilated", "verilated_threads"];
  const flags = [...compileFlags, ...libraryFlags];
  const key = contentKey([version, compilerVersion, include, ...flags]);
  const { folder } = await cached(`verilator-library-${key}`, async (work) => {
    const includes = [`-I${include}`, `-I${join(include, "vltstd")}`];
    for (const part of parts) {
      const [source, object] = [join(include, `${part}.cpp`), join(work, `${part}.o`)];
      await clock.run(compiler, [...flags, ...includes, "-c", source, "-o", object]);
    }
  });
  return parts.map((part) => join(folder, `${part}.o`));
}

/**
 * Compiles a bundle's test bench for Icarus Verilog, or takes it from the cache.
 *
 * @throws N2F_TOOL_MISSING, N2F_TOOL_FAILED
 */
export async function buildIcarus(
  bundle: Bundle,
  onProgress: (step: string) => void,
): Promise<SimulatorBuild> {
  const iverilog = requireTool("iverilog");
  const version = await toolVersion("iverilog");
  const { sources } = bundle.manifest.kernel;
  const files = rtlFiles(bundle);
  const clock = new BuildClock();
  const key = contentKey([version, ...sources, ...[...files].flat()]);
  const { folder, wasBuilt } = await cached(`icarus-${key}`, async (work) => {
    for (const [name, bytes] of files) writeFileSync(join(work, name), bytes);
    onProgress("Icarus Verilog: compiling");
    await clock.run(
      iverilog,
      ["-g2012", "-s", "icarus_tb", "-o", "simulate.vvp", ...sources, "icarus_tb.sv"],
      { cwd: work },
    );
  });
  return {
    program: join(folder, "simulate.vvp"),
    folder,
    version,
    wasBuilt,
    cpuSeconds: clock.cpuSeconds,
  };
}

/** What simulators read, by file name: Verilog, memory files, benches. */
function rtlFiles(bundle: Bundle): Map<string, Uint8Array> {
  const isWanted = (path: string) =>
    path.startsWith(`${bundlePaths.rtl}/`) || path.startsWith("sim/");
  const paths = Object.keys(bundle.manifest.files).filter(isWanted);
  return new Map(paths.map((path) => [path.slice(path.lastIndexOf("/") + 1), bundle.read(path)]));
}
