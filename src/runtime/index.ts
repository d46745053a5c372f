export * from "./device.ts";
export { instantiateEmulator } from "./devices/emulator-instance.ts";
export * from "./devices/icarus.ts";
export * from "./devices/index.ts";
export * from "./devices/null.ts";
export * from "./devices/rtl.ts";
export * from "./packets.ts";
export * from "./predict.ts";
export * from "./simulated-kernel.ts";
