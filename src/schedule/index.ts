export { signedDigits } from "./csd.ts";
export { chooseFolding } from "./fold.ts";
export * from "./resources.ts";
export * from "./schedule.ts";
export { registerBits, scheduleStages } from "./stages.ts";
