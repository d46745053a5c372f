export * from "./codes.ts";
export * from "./format.ts";
export * from "./precision.ts";
export * from "./round.ts";
