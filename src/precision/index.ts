export * from "./knobs.ts";
export * from "./plot.ts";
export * from "./products.ts";
export * from "./search.ts";
export type { Trial, Widths } from "./trial.ts";
