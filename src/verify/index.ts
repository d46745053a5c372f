export * from "./float-error.ts";
export * from "./golden.ts";
