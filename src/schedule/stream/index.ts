export { dataflowOf } from "./dataflow.ts";
export { findDeadlock, sizeFifos } from "./depths.ts";
export type { LayerFolding } from "./folding.ts";
export { type StreamOptions, scheduleStream } from "./schedule-stream.ts";
export * from "./simulate.ts";
export { loadTarget, type Target, targetNames } from "./target.ts";
