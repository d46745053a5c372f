import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { findTool, requireTool, toolsFound, toolVersion } from "../../../src/tools/index.ts";
import { problemOf } from "../../support/problem.ts";
import { temporaryFolder } from "../../support/temporary.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

function program(folder: string, name: string, script: string, mode = 0o755): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, mode);
  return path;
}

describe("findTool", () => {
  it("takes the first program on the PATH; a folder or a file that cannot be run is none", () => {
    const [one, two, three] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
    mkdirSync(join(one, "verilator"));
    const path = program(two, "verilator", "echo Verilator 1");
    program(three, "verilator", "echo Verilator 2");
    vi.stubEnv("PATH", ["", one, two, three].join(delimiter));
    expect(findTool("verilator")).toBe(path);
    expect(findTool("iverilog")).toBeUndefined();
  });
});

describe("toolVersion", () => {
  it("is the first line, asked for once", async () => {
    const folder = temporaryFolder();
    const path = program(
      folder,
      "verilator",
      `echo asked >> ${folder}/log; echo; echo V 9; echo more`,
    );
    vi.stubEnv("PATH", folder + delimiter + process.env["PATH"]);
    expect(requireTool("verilator")).toBe(path);
    expect(await toolVersion("verilator")).toBe("V 9");
    program(folder, "verilator", "echo V 10");
    expect(await toolVersion("verilator")).toBe("V 9");
  });

  it("tells that a tool is missing and how to get it", () => {
    vi.stubEnv("PATH", temporaryFolder());
    expect(problemOf(() => requireTool("verilator"))).toEqual({
      code: "N2F_TOOL_MISSING",
      message: "verilator is not on the PATH",
      at: "verilator",
      hint: "Install it with `apt-get install verilator`; it simulates the Verilog: verify, and the device `rtl`.",
    });
  });
});

describe("toolsFound", () => {
  it("has every tool: where it is, or what is lost without it", async () => {
    const folder = temporaryFolder();
    const yosys = program(folder, "yosys", "echo Yosys 0.99");
    program(folder, "iverilog", "exit 1");
    vi.stubEnv("PATH", [folder, "/bin"].join(delimiter));
    const tools = new Map((await toolsFound()).map((tool) => [tool.name, tool]));
    expect([...tools.keys()]).toEqual([
      "verilator",
      "g++",
      "iverilog",
      "yosys",
      "onnxruntime-node",
    ]);
    expect(tools.get("yosys")).toMatchObject({ path: yosys, version: "Yosys 0.99" });
    expect(tools.get("iverilog")?.version).toBe("does not run");
    for (const tool of tools.values()) {
      expect(tool.install).toMatch(/install /);
      expect(tool.without).toMatch(/\.$/);
    }
  });
});
