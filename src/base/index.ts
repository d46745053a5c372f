export * from "./problem.ts";
export * from "./random.ts";
