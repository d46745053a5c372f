export * from "./byte-writer.ts";
export * from "./function-builder.ts";
export * from "./instructions.ts";
export * from "./module-builder.ts";
