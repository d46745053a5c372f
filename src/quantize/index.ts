export * from "./calibrate.ts";
export * from "./calibration-data.ts";
export { calibratedPrecision, formatForRange } from "./choose-format.ts";
export * from "./config.ts";
export * from "./equalize.ts";
export * from "./format-table.ts";
export * from "./int8.ts";
export * from "./quantize.ts";
export * from "./statistics.ts";
