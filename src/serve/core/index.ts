export * from "./datatype.ts";
export * from "./inference.ts";
export * from "./inference-core.ts";
export * from "./model-config.ts";
export * from "./serve-error.ts";
export * from "./shared-memory.ts";
export * from "./statistics.ts";
