export * from "./core/index.ts";
export * from "./front-ends.ts";
