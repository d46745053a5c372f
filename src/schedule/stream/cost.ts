import type { Resources } from "../../artifact/index.ts";
import type { StreamDesign, StreamNode } from "../../design/index.ts";
import { type CostModel, resourceKinds, type Scope } from "../cost-model.ts";
import { addPipeline } from "../pipeline-cost.ts";
import type { EngineLayer } from "./engine-layer.ts";
import type { PointCost } from "./folding.ts";

/** What an engine takes, by the formulas of its module. */
export function engineCost(model: CostModel): PointCost {
  return (layer, { simd, pe, multiplier, memory, isParallel }) => {
    const module = layer.kind === "depthwise" ? "n2f_depthwise" : "n2f_mvu";
    return model.module(module, {
      ...engineScope(layer, simd, pe),
      MULTIPLIER: multiplier,
      MEMORY: memory,
      PARALLEL: isParallel || wantsWindows(layer, simd) ? 1 : 0,
    });
  };
}

/** Whole windows go into engines whose window is not too wide. */
function wantsWindows({ window, k }: EngineLayer, simd: number): boolean {
  return window !== undefined && window.taps > 1 && simd < k;
}

function engineScope(layer: EngineLayer, simd: number, pe: number): Scope {
  return engineVariables({
    K: layer.k,
    N: layer.n,
    SIMD: simd,
    PE: pe,
    X_W: layer.xBits,
    W_W: layer.wBits,
    ACC_W: layer.accBits,
  });
}

function engineVariables(p: Scope): Scope {
  const { K, N, SIMD, PE, W_W } = p;
  const depth = Math.ceil(K / SIMD) * Math.ceil(N / PE);
  return {
    K,
    SIMD,
    PE,
    X_W: p["X_W"],
    W_W,
    ACC_W: p["ACC_W"],
    multipliers: SIMD * PE,
    depth,
    blocks: Math.ceil(N / PE),
    word: SIMD * PE * W_W,
  };
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
    if (node.constants !== undefined)
      add(
        model.module("constants", { words: node.constants.words, word: node.constants.widthBits }),
      );
    return;
  }
  const numbers = Object.fromEntries(
    Object.entries(node.params).flatMap(([key, value]) =>
      typeof value === "string" ? [] : [[key, Number(value)]],
    ),
  );
  const isEngine = node.module === "n2f_mvu";
  const isDepthwise = node.module === "n2f_depthwise";
  const scope = isEngine
    ? { ...numbers, ...engineVariables(numbers as Scope) }
    : isDepthwise
      ? {
          ...numbers,
          ...engineVariables({
            ...numbers,
            N: numbers["C"],
            SIMD: numbers["PARALLEL"] ? numbers["K"] : 1,
          } as Scope),
        }
      : numbers;
  add(model.module(node.module, scope));
}
