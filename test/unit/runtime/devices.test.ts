import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  availableDevices,
  createIcarusDevice,
  createRtlDevice,
  deviceNames,
  openDevice,
} from "../../../src/runtime/index.ts";
import { problemOf } from "../../support/problem.ts";
import { simBundle } from "../../support/sim-design.ts";
import { temporaryFolder } from "../../support/temporary.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A PATH with some programs and nothing else. */
function onlyTools(...names: string[]): void {
  const folder = temporaryFolder();
  for (const name of names) {
    writeFileSync(join(folder, name), "#!/bin/sh\necho version\n");
    chmodSync(join(folder, name), 0o755);
  }
  vi.stubEnv("PATH", folder);
}

describe("availableDevices", () => {
  it("has the simulator only where Verilator and a compiler are", () => {
    expect(deviceNames).toEqual(["emulator", "rtl"]);
    onlyTools("verilator", "g++");
    expect(availableDevices()).toEqual(["emulator", "rtl"]);
    onlyTools("verilator");
    expect(availableDevices()).toEqual(["emulator"]);
  });
});

describe("openDevice", () => {
  it("opens what can be used", async () => {
    const device = openDevice("emulator", { threads: 0 });
    expect(device.info().name).toBe("emulator");
    await device.close();
    onlyTools("verilator", "g++");
    expect(openDevice("rtl").info().name).toBe("rtl");
  });

  it("says which names there are", () => {
    for (const name of ["fpga", "", "toString"]) {
      expect(problemOf(() => openDevice(name))).toMatchObject({
        code: "N2F_OPTION_INVALID",
        message: `there is no device "${name}"`,
        hint: "Use one of emulator, rtl.",
      });
    }
  });

  it("says what is missing and what to use instead", () => {
    onlyTools();
    const problem = problemOf(() => openDevice("rtl"));
    expect(problem?.code).toBe("N2F_TOOL_MISSING");
    expect(problem?.message).toMatch(/verilator and g\+\+ are not both on the PATH/);
    expect(problem?.hint).toMatch(/doctor.*`emulator` gives the same answers/);
  });
});

describe("loading without the tools", () => {
  const design = { beats: 1, beatBytes: 1, packetBytes: 1, fault: "none" } as const;

  it.each([
    ["Verilator", createRtlDevice, /N2F_TOOL_MISSING: verilator is not/],
    ["Icarus", createIcarusDevice, /N2F_TOOL_MISSING: iverilog is not/],
  ])("tells how to get them: %s", async (_, create, expected) => {
    const bundle = simBundle(temporaryFolder(), design);
    onlyTools();
    await expect(create().load(bundle)).rejects.toThrow(expected);
  });
});
