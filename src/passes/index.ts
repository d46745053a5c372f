export type { Pass } from "./pass.ts";
export * from "./pipeline.ts";
