import type { Bundle } from "../artifact/index.ts";

export interface DeviceInfo {
  /** `emulator`, `rtl`, ... as `--device` names it. */
  readonly name: string;
  readonly description: string;
  /** False for the null device, whose answers are no answers. */
  readonly isComputing?: boolean;
}

/**
 * Something that can hold kernels. Same bundle, same answers, whichever device.
 */
export interface Device {
  info(): DeviceInfo;
  /** Loads a kernel, ready for the first `run`. @throws Nn2fpgaError */
  load(bundle: Bundle): Promise<Kernel>;
  close(): Promise<void>;
}

/** A network on a device. */
export interface Kernel {
  /**
   * Runs `count` inferences. Packets follow one another without padding, codes in the manifest's
   * layout; `inputs` is not kept and not changed.
   */
  run(inputs: Uint8Array, count: number): Promise<Uint8Array>;
  close(): Promise<void>;
}
