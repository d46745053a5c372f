export * from "./compare.ts";
export * from "./float-check.ts";
export * from "./float-error.ts";
export * from "./golden.ts";
export * from "./self-check.ts";
export * from "./vectors.ts";
export * from "./verify.ts";
