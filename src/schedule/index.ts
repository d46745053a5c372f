export * from "./architecture.ts";
export { signedDigits } from "./csd.ts";
export { chooseFolding } from "./fold.ts";
export { type HardwarePlan, hardwareOf, hardwarePlan, plumbing } from "./hardware-plan.ts";
export * from "./levels.ts";
export * from "./resources.ts";
export * from "./schedule.ts";
export { delaysOf, scheduleStages } from "./stages.ts";
export * from "./stream/index.ts";
