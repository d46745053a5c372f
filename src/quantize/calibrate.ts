import { type Graph, type Registry, type ValueId, workOf } from "../ir/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { type CalibrationData, feedOf } from "./calibration-data.ts";
import { gatherStatistics, type Statistics } from "./statistics.ts";

/** Inferences by which formats are chosen, at most. */
const calibrationLimit = 512;
/** Multiply-accumulates that calibration may spend, some seconds; and on generated data, where more of it says no more. */
const calibrationBudget = 4e9;
const generatedBudget = 1e9;

/** How many of some samples are looked at: fewer of a large network, but at least one. */
export function calibrationCount(graph: Graph, data: CalibrationData): number {
  const { samples, isGenerated = false } = data;
  const budget = isGenerated ? generatedBudget : calibrationBudget;
  const affordable = Math.max(1, Math.floor(budget / workOf(graph)));
  return Math.min(samples.count, calibrationLimit, affordable);
}

/**
 * What a graph makes of calibration data.
 *
 * @param onInference gets all values of one inference after the other
 */
export function calibrate(
  graph: Graph,
  ops: Registry,
  data: CalibrationData,
  onInference?: (values: ReadonlyMap<ValueId, Tensor>) => void,
): Statistics {
  const count = calibrationCount(graph, data);
  const feeds = Array.from({ length: count }, (_, i) => feedOf(graph, data.samples, i));
  return gatherStatistics(graph, ops, feeds, onInference);
}
