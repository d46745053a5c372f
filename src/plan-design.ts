import type { PortTensor, Resources } from "./artifact/index.ts";
import type { Design } from "./design/index.ts";
import { emitEmulator } from "./emit/emulator/index.ts";
import type { Graph } from "./ir/index.ts";
import { ops } from "./ops/index.ts";
import { absorbPortTransposes } from "./passes/index.ts";
import {
  chooseArchitecture,
  estimateResources,
  loadTarget,
  type ScheduleOptions,
  scheduleParallel,
  scheduleStream,
} from "./schedule/index.ts";

/** The target whose budgets hold where none is named. */
export const defaultTarget = "kv260";

/** A quantized network with its place in packets and in hardware. */
export interface PlannedDesign {
  readonly design: Design;
  readonly graph: Graph;
  readonly inputs: readonly PortTensor[];
  readonly outputs: readonly PortTensor[];
  readonly emulator: Uint8Array;
  readonly resources: Resources;
}

/** The design of a quantized graph whose ends are as the packets have them. */
export function planDesign(
  graph: Graph,
  top: string,
  options: ScheduleOptions,
  onProgress: (step: string) => void = () => {},
): Design {
  if (chooseArchitecture(graph, options) === "parallel")
    return scheduleParallel(graph, ops, top, options);
  const target = loadTarget(options.target ?? defaultTarget);
  return scheduleStream(graph, ops, top, { ...options, target, onProgress });
}

/**
 * Plans the hardware. A stream has channels last, also in its packets, so that the transposes at the ends
 * become the host's work.
 */
export function planHardware(
  quantized: Omit<PlannedDesign, "design" | "resources">,
  top: string,
  options: ScheduleOptions,
  onProgress: (step: string) => void,
): PlannedDesign {
  const chosen = chooseArchitecture(quantized.graph, options);
  const { graph, orders } =
    chosen === "stream"
      ? absorbPortTransposes(quantized.graph)
      : { graph: quantized.graph, orders: new Map<string, readonly number[]>() };
  const ordered = (port: PortTensor): PortTensor => {
    const order = orders.get(port.name);
    return order === undefined ? port : { ...port, order };
  };
  const inputs = quantized.inputs.map(ordered);
  const outputs = quantized.outputs.map(ordered);
  const design = planDesign(graph, top, { ...options, architecture: chosen }, onProgress);
  return {
    design,
    graph,
    inputs,
    outputs,
    emulator: orders.size === 0 ? quantized.emulator : emitEmulator(graph, ops, inputs, outputs),
    resources: estimateResources(design),
  };
}
