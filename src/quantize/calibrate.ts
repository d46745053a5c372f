import { type Graph, type Registry, workOf } from "../ir/index.ts";
import { type CalibrationData, feedOf } from "./calibration-data.ts";
import { gatherStatistics, type Statistics } from "./statistics.ts";

/** Inferences by which formats are chosen, at most. */
const calibrationLimit = 512;
/** Multiply-accumulates that calibration may spend: some seconds. */
const calibrationBudget = 4e9;

/** How many of some samples are looked at: fewer of a large network, but at least one. */
export function calibrationCount(graph: Graph, { samples }: CalibrationData): number {
  const affordable = Math.max(1, Math.floor(calibrationBudget / workOf(graph)));
  return Math.min(samples.count, calibrationLimit, affordable);
}

/** What a graph makes of calibration data. */
export function calibrate(graph: Graph, ops: Registry, data: CalibrationData): Statistics {
  const count = calibrationCount(graph, data);
  const feeds = Array.from({ length: count }, (_, i) => feedOf(graph, data.samples, i));
  return gatherStatistics(graph, ops, feeds);
}
