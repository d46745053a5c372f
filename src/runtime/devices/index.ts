import { fail } from "../../base/index.ts";
import { findTool } from "../../tools/index.ts";
import type { Device } from "../device.ts";
import { createEmulatorDevice } from "./emulator.ts";
import { createRtlDevice, type SimulatorOptions } from "./rtl.ts";

export interface DeviceOptions extends SimulatorOptions {
  /** Worker threads of the emulator. Default: one for each core. */
  readonly threads?: number;
}

interface DeviceKind {
  readonly create: (options: DeviceOptions) => Device;
  /** Why it cannot be used here. */
  readonly missing: () => string | undefined;
}

/** Every kind of device by the name that `--device` takes. */
const kinds: Readonly<Record<string, DeviceKind>> = {
  emulator: {
    create: ({ threads }) => createEmulatorDevice(threads === undefined ? {} : { threads }),
    missing: () => undefined,
  },
  rtl: {
    create: (options) => createRtlDevice(options),
    missing: () =>
      ["verilator", "g++"].filter((tool) => findTool(tool) === undefined).length > 0
        ? "verilator and g++ are not both on the PATH"
        : undefined,
  },
};

export const deviceNames = Object.keys(kinds);

/** Names of the devices that can be used here. */
export function availableDevices(): string[] {
  return deviceNames.filter((name) => kinds[name].missing() === undefined);
}

/** @throws N2F_OPTION_INVALID for a name that is none, N2F_TOOL_MISSING where its tools are not there */
export function openDevice(name: string, options: DeviceOptions = {}): Device {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined) {
    return fail("N2F_OPTION_INVALID", `there is no device "${name}"`, {
      at: "--device",
      hint: `Use one of ${deviceNames.join(", ")}.`,
    });
  }
  const missing = kind.missing();
  if (missing === undefined) return kind.create(options);
  return fail("N2F_TOOL_MISSING", `the device ${name} cannot be used: ${missing}`, {
    at: "--device",
    hint: "`nn2fpga doctor` tells what to install; the device `emulator` gives the same answers.",
  });
}
