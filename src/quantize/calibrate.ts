import type { Graph, Registry } from "../ir/index.ts";
import { type CalibrationData, feedOf } from "./calibration-data.ts";
import { gatherStatistics, type Statistics } from "./statistics.ts";

/** Inferences by which formats are chosen, at most. */
export const calibrationLimit = 512;

/** What a graph makes of calibration data. */
export function calibrate(graph: Graph, ops: Registry, { samples }: CalibrationData): Statistics {
  const count = Math.min(samples.count, calibrationLimit);
  const feeds = Array.from({ length: count }, (_, i) => feedOf(graph, samples, i));
  return gatherStatistics(graph, ops, feeds);
}
