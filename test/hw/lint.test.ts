import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type HardwareModule, library, portWidthBits } from "../../src/hwlib/index.ts";
import { instance, lint, rtlFiles, run, temporaryFolder, tools, yosys } from "../support/hw.ts";
import { sampleParameters } from "../support/hw-samples.ts";

const modules = [...library].map(([name, module]) => [name, module] as const);

/**
 * A top with an instance of a module for each set of its sample parameters, whose ports are as wide as
 * the twin says: if the module disagrees, the linter does too.
 */
function samplesTop(module: HardwareModule): string {
  const ports: string[] = [];
  const instances = sampleParameters[module.name].map((params, i) => {
    const connections: Record<string, string> = {};
    for (const [kind, list] of Object.entries(module.ports)) {
      for (const [name, width] of Object.entries(list)) {
        const signal = `sample${i}_${name}`;
        const range = `[${portWidthBits(width, params) - 1}:0]`;
        ports.push(`    ${kind === "inputs" ? "input wire" : "output"} logic ${range} ${signal}`);
        connections[name] = signal;
      }
    }
    return instance(module, params, connections, `sample${i}`);
  });
  return `module top (\n${ports.join(",\n")}\n);\n${instances.join("\n")}\nendmodule\n`;
}

it("every module has sample parameters", () => {
  expect(Object.keys(sampleParameters).sort()).toEqual([...library.keys()].sort());
});

describe.skipIf(!tools.verilator)("Verilator's linter has nothing to say", () => {
  const folder = temporaryFolder();

  it.each(modules)("about %s", (name, module) => {
    lint(folder.path, name, rtlFiles(module));
    writeFileSync(join(folder.path, "top.sv"), samplesTop(module));
    lint(folder.path, "top", ["top.sv", ...rtlFiles(module)]);
  });
});

describe.skipIf(!tools.icarus)("Icarus elaborates", () => {
  const folder = temporaryFolder();

  it.each(modules)("%s", (_, module) => {
    writeFileSync(join(folder.path, "top.sv"), samplesTop(module));
    const files = ["top.sv", ...rtlFiles(module)];
    run(folder.path, "iverilog", ["-g2012", "-Wall", "-s", "top", "-o", "top.vvp", ...files]);
    // The checks of the parameters are in initial blocks.
    run(folder.path, "vvp", ["-n", "top.vvp"]);
  });
});

describe.skipIf(!tools.yosys)("Yosys elaborates and checks", () => {
  const folder = temporaryFolder();

  it.each(modules)("%s", (_, module) => {
    writeFileSync(join(folder.path, "top.sv"), samplesTop(module));
    yosys(folder.path, [
      `read_verilog -sv -D N2F_NO_PRIMITIVES top.sv ${rtlFiles(module).join(" ")}`,
      "hierarchy -check -top top; proc; check -assert",
    ]);
  });
});
