import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bundle, bundlePaths } from "../../artifact/index.ts";
import { cached, contentKey, requireTool, runTool, toolVersion } from "../../tools/index.ts";

/** A simulator that is ready to run, and where its memory files are. */
export interface SimulatorBuild {
  readonly program: string;
  readonly folder: string;
  readonly version: string;
  readonly wasBuilt: boolean;
}

/**
 * Few checks and full inlining: the model is built to be run. Random initial values are left out because
 * everything that matters is reset.
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
  "100000",
];
const compileFlags = [
  "-std=gnu++17",
  "-faligned-new",
  "-w",
  "-DVM_COVERAGE=0",
  "-DVM_SC=0",
  "-DVM_TRACE=0",
];

/** Sign extension in two shifts, instead of the mask and negation of the library: half the instructions. */
const signExtension = `#include "verilated.h"
#undef VL_EXTENDS_II
#define VL_EXTENDS_II(obits, lbits, x) \\
  ((IData)((int32_t)((IData)(x) << (32 - (lbits))) >> (32 - (lbits))))
`;

/**
 * Verilates a bundle and compiles the model, or takes it from the cache, whose key is everything that goes
 * in. All code that runs often is compiled as one unit, all that runs once without optimization: a third
 * of the time that Verilator's own makefile takes.
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
    signExtension,
    top,
    ...[...files].flat(),
  ]);
  const { folder, wasBuilt } = await cached(`verilator-${key}`, async (work) => {
    for (const [name, bytes] of files) writeFileSync(join(work, name), bytes);
    onProgress("Verilator: translating");
    await runTool(
      verilator,
      [...verilatorFlags, "--top-module", top, "--Mdir", "model", ...sources],
      { cwd: work },
    );
    const include = join(
      (await runTool(verilator, ["--getenv", "VERILATOR_ROOT"])).trim(),
      "include",
    );
    const model = join(work, "model");
    const units = readdirSync(model).filter((name) => name.endsWith(".cpp"));
    const isSlow = (name: string) => name.includes("Slow") || name.includes("__Syms");
    const unit = (name: string, members: readonly string[]) =>
      writeFileSync(join(model, name), members.map((member) => `#include "${member}"\n`).join(""));
    unit("fast.cxx", ["extends.h", ...units.filter((name) => !isSlow(name)), "../main.cpp"]);
    unit("slow.cxx", units.filter(isSlow));
    writeFileSync(join(model, "extends.h"), signExtension);
    onProgress("Verilator: compiling the model");
    const compile = (flags: readonly string[], source: string, object: string) =>
      runTool(
        compiler,
        [
          ...compileFlags,
          ...flags,
          `-I${include}`,
          `-I${join(include, "vltstd")}`,
          "-I.",
          "-c",
          source,
          "-o",
          object,
        ],
        {
          cwd: model,
        },
      );
    const [library] = await Promise.all([
      buildLibrary(compiler, include, version),
      compile(["-O1"], "fast.cxx", "fast.o"),
      compile(["-O0"], "slow.cxx", "slow.o"),
    ]);
    await runTool(compiler, ["fast.o", "slow.o", ...library, "-o", "../simulate", "-pthread"], {
      cwd: model,
    });
  });
  return { program: join(folder, "simulate"), folder, version, wasBuilt };
}

/** Verilator's own run-time library, compiled once for all models. */
async function buildLibrary(compiler: string, include: string, version: string): Promise<string[]> {
  const parts = ["verilated", "verilated_threads"];
  const { folder } = await cached(
    `verilator-library-${contentKey([version, ...compileFlags])}`,
    async (work) => {
      await Promise.all(
        parts.map((part) =>
          runTool(compiler, [
            ...compileFlags,
            "-O1",
            `-I${include}`,
            `-I${join(include, "vltstd")}`,
            "-c",
            join(include, `${part}.cpp`),
            "-o",
            join(work, `${part}.o`),
          ]),
        ),
      );
    },
  );
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
  const { folder, wasBuilt } = await cached(
    `icarus-${contentKey([version, ...[...files].flat()])}`,
    async (work) => {
      mkdirSync(work, { recursive: true });
      for (const [name, bytes] of files) writeFileSync(join(work, name), bytes);
      onProgress("Icarus Verilog: compiling");
      await runTool(
        iverilog,
        ["-g2012", "-s", "icarus_tb", "-o", "simulate.vvp", ...sources, "icarus_tb.sv"],
        {
          cwd: work,
        },
      );
    },
  );
  return { program: join(folder, "simulate.vvp"), folder, version, wasBuilt };
}

/** What simulators read, by file name: Verilog, memory files, benches. */
function rtlFiles(bundle: Bundle): Map<string, Uint8Array> {
  const isWanted = (path: string) =>
    path.startsWith(`${bundlePaths.rtl}/`) || path.startsWith("sim/");
  const paths = Object.keys(bundle.manifest.files).filter(isWanted);
  return new Map(paths.map((path) => [path.slice(path.lastIndexOf("/") + 1), bundle.read(path)]));
}
