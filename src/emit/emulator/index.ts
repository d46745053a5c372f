export { emitEmulator } from "./emulator.ts";
