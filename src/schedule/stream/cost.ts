import type { Resources } from "../../artifact/index.ts";
import type { StreamDesign, StreamNode } from "../../design/index.ts";
import { type CostModel, resourceKinds } from "../cost-model.ts";
import { addPipeline } from "../pipeline-cost.ts";
import type { EngineLayer } from "./engine-layer.ts";
import type { PointCost } from "./folding.ts";

/** What an engine takes, by the formulas of its module; evaluated once for each folding. */
export function engineCost(model: CostModel): PointCost {
  const evaluate = evaluateWith(model);
  const known = new WeakMap<EngineLayer, Map<string, Resources>>();
  return (layer, point) => {
    const { simd, pe, rows, multiplier, chain, memory, isParallel } = point;
    const costs = known.get(layer) ?? new Map<string, Resources>();
    known.set(layer, costs);
    const key = `${simd},${pe},${rows},${multiplier},${chain},${memory},${isParallel}`;
    const cost = costs.get(key) ?? evaluate(layer, point);
    costs.set(key, cost);
    return cost;
  };
}

function evaluateWith(model: CostModel): PointCost {
  return (layer, point) => {
    const { simd, pe, rows, multiplier, chain, memory, isParallel } = point;
    const { k, n, xBits, xSigned, wBits, accBits, hasBias } = layer;
    const scope = {
      ...{ K: k, PE: pe, ROWS: rows, X_W: xBits, W_W: wBits, ACC_W: accBits },
      ...{
        X_SIGNED: Number(xSigned),
        MULTIPLIER: multiplier,
        MEMORY: memory,
        BIAS: Number(hasBias),
      },
    };
    if (layer.kind === "depthwise")
      return model.module("n2f_depthwise", { ...scope, C: n, PARALLEL: isParallel ? 1 : 0 });
    const PARALLEL = (rows > 1 && simd < k) || wantsWindows(layer, simd) ? 1 : 0;
    return model.module("n2f_mvu", { ...scope, N: n, SIMD: simd, PARALLEL, CHAIN: chain });
  };
}

/** Whole windows go into engines whose window is not too wide. */
function wantsWindows({ window, k }: EngineLayer, simd: number): boolean {
  return window !== undefined && window.taps > 1 && simd < k;
}

/** What a whole design takes, rounded up. */
export function networkCost(
  model: CostModel,
  design: Pick<StreamDesign, "nodes" | "edges">,
): Resources {
  const total = { lut: 0, ff: 0, dsp: 0, bram36: 0 };
  const add = (cost: Resources) => {
    for (const kind of resourceKinds) total[kind] += cost[kind];
  };
  for (const node of design.nodes) addNode(model, node, add);
  for (const { from, to, lanes, widthBits, depth, isBlockRam } of design.edges) {
    if (from.node < 0 || to.node < 0) continue;
    const scope = { WIDTH: lanes * widthBits, DEPTH: depth, STYLE: isBlockRam ? 1 : 0 };
    add(model.module("n2f_fifo", scope));
  }
  return {
    lut: Math.ceil(total.lut),
    ff: Math.ceil(total.ff),
    dsp: Math.ceil(total.dsp),
    bram36: Math.ceil(total.bram36 * 2) / 2,
  };
}

function addNode(model: CostModel, node: StreamNode, add: (cost: Resources) => void): void {
  if (node.kind === "pipeline") {
    addPipeline(model, node.segment, add);
    if (node.constants !== undefined) {
      const { words, widthBits } = node.constants;
      add(model.module("n2f_constants", { WORDS: words, DATA_W: widthBits }));
    }
    return;
  }
  const scope = Object.fromEntries(
    Object.entries(node.params).map(([key, value]) => [
      key,
      typeof value === "string" ? Number(value !== "") : Number(value), // of files, whether there is one
    ]),
  );
  add(model.module(node.module, scope));
}
