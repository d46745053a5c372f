export * from "./codes.ts";
export * from "./format.ts";
export * from "./precision.ts";
export * from "./ratio.ts";
export * from "./round.ts";
export * from "./rows.ts";
