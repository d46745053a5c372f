export * from "./absorb-port-transposes.ts";
export type { Pass } from "./pass.ts";
export * from "./pipeline.ts";
