export * from "./builder.ts";
export * from "./graph.ts";
export * from "./kernel.ts";
export * from "./op.ts";
export * from "./ranges.ts";
