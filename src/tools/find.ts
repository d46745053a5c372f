import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fail } from "../base/index.ts";
import { runTool } from "./run.ts";

/** An external program that nn2fpga can use. */
interface ToolSpec {
  readonly name: string;
  readonly versionArgs: readonly string[];
  readonly purpose: string;
  /** What is lost where it is missing. */
  readonly without: string;
  readonly install: string;
}

const specs = [
  {
    name: "verilator",
    versionArgs: ["--version"],
    purpose: "simulates the Verilog: verify, and the device `rtl`",
    without: "`verify` compares the emulator only and says that the Verilog was not run.",
    install: "apt-get install verilator",
  },
  {
    name: "g++",
    versionArgs: ["--version"],
    purpose: "compiles the Verilated model",
    without: "Verilator cannot be used.",
    install: "apt-get install g++",
  },
  {
    name: "iverilog",
    versionArgs: ["-V"],
    purpose: "is the second simulator in verify",
    without: "`verify` has no second opinion on the Verilog.",
    install: "apt-get install iverilog",
  },
  {
    name: "yosys",
    versionArgs: ["-V"],
    purpose: "synthesis, to check resource estimates",
    without: "resources are estimated and not synthesized.",
    install: "apt-get install yosys",
  },
] as const satisfies readonly ToolSpec[];

export type ToolName = (typeof specs)[number]["name"];

export interface ToolReport {
  readonly name: string;
  readonly purpose: string;
  readonly without: string;
  readonly install: string;
  readonly path?: string;
  readonly version?: string;
}

/** Where a program is on the PATH. */
export function findTool(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    // An empty entry would be the current folder, whose programs nobody meant.
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** @throws N2F_TOOL_MISSING with the way to get it */
export function requireTool(name: ToolName): string {
  const path = findTool(name);
  if (path !== undefined) return path;
  const spec = specs.find((candidate) => candidate.name === name) as ToolSpec;
  return fail("N2F_TOOL_MISSING", `${name} is not on the PATH`, {
    at: name,
    hint: `Install it with \`${spec.install}\`; it ${spec.purpose}.`,
  });
}

/** Versions by path; a tool is asked once. */
const versions = new Map<string, Promise<string>>();

/** The first line that a tool prints of its version. @throws N2F_TOOL_MISSING, N2F_TOOL_FAILED */
export async function toolVersion(name: ToolName): Promise<string> {
  const spec = specs.find((candidate) => candidate.name === name) as ToolSpec;
  const path = requireTool(name);
  let version = versions.get(path);
  if (version === undefined) {
    version = runTool(path, spec.versionArgs, { timeoutMs: 20_000 }).then(
      (text) => text.trim().split("\n")[0],
    );
    versions.set(path, version);
    version.catch(() => versions.delete(path));
  }
  return version;
}

/** Every tool: where it is and which, or what is lost without it. */
export async function toolsFound(): Promise<ToolReport[]> {
  const programs = await Promise.all(
    specs.map(async ({ name, purpose, without, install }): Promise<ToolReport> => {
      const path = findTool(name);
      const report = { name, purpose, without, install };
      if (path === undefined) return report;
      const version = await toolVersion(name).catch(() => "does not run");
      return { ...report, path, version };
    }),
  );
  return [...programs, onnxRuntimeReport()];
}

function onnxRuntimeReport(): ToolReport {
  const report = {
    name: "onnxruntime-node",
    purpose: "float reference in verify",
    without: "`verify` compares with nn2fpga's own float evaluation.",
    install: "npm install onnxruntime-node",
  };
  try {
    return { ...report, path: import.meta.resolve("onnxruntime-node"), version: "found" };
  } catch {
    return report;
  }
}
