import { assert } from "../../base/index.ts";
import type { StreamNode } from "../../design/index.ts";
import {
  axisLanesIn,
  axisLanesOut,
  type CycleModel,
  checkParameters,
  concat,
  depthwise,
  fork,
  loop,
  matmul2,
  mvu,
  pad,
  pool,
  reduce,
  reduceLanes,
  reorder,
  type StreamModule,
  slice,
  split,
  upsample,
  width,
  windowLine,
  windowMem,
} from "../../hwlib/index.ts";
import { type NetworkBuilder, outside } from "./network-builder.ts";
import type { Actor, Dataflow } from "./simulate.ts";

/** The handshakes of a network that has been laid out. Channels have the numbers of its edges. */
export function dataflowOf({ nodes, edges }: Pick<NetworkBuilder, "nodes" | "edges">): Dataflow {
  const inputs = nodes.map((node) => new Array<number>(node.inputs).fill(-1));
  const outputs = nodes.map((node) => new Array<number>(node.outputs).fill(-1));
  let [source, sink] = [-1, -1];
  edges.forEach(({ from, to }, channel) => {
    if (from.node === outside) source = channel;
    else outputs[from.node][from.port] = channel;
    if (to.node === outside) sink = channel;
    else inputs[to.node][to.port] = channel;
  });
  const actors = nodes.map((node, at): Actor => {
    const isWhole = [...inputs[at], ...outputs[at]].every((channel) => channel >= 0);
    assert(isWhole, `${node.name} has a port without an edge`);
    return { name: node.name, model: modelOf(node), inputs: inputs[at], outputs: outputs[at] };
  });
  return {
    actors,
    channels: edges.map(({ name }) => name),
    source,
    sink,
    inputBeats: edges[source].beats,
    outputBeats: edges[sink].beats,
  };
}

/** The modules that networks are made of. */
const twins: ReadonlyMap<string, StreamModule> = new Map(
  [
    ...[axisLanesIn, axisLanesOut, concat, depthwise, fork, matmul2, mvu, pad, pool, reduce],
    ...[reduceLanes, reorder, slice, split, upsample, width, windowLine, windowMem, loop],
  ].map((twin): [string, StreamModule] => [twin.name, twin as unknown as StreamModule]),
);

function modelOf(node: StreamNode): CycleModel {
  if (node.kind === "pipeline") return longPipeline(node.segment.timing.depth, node.inputs);
  const module = twins.get(node.module);
  assert(module !== undefined, `${node.module} has no cycle model`);
  checkParameters(module, node.params);
  const problem = module.constraint?.(node.params);
  assert(problem === undefined, `${node.name} (${node.module}): ${problem}`);
  return module.cycleModel(node.params);
}

/** `pipelineModel` for pipelines of any length; without registers it is `n2f_join` alone. */
function longPipeline(stages: number, inputs: number): CycleModel {
  const all = 2 ** inputs - 1;
  const valid = new Uint8Array(Math.max(1, stages));
  let head = 0; // the stage that is last now
  let held = 0;
  return {
    step(inValid, outReady) {
      const offered = (inValid & all) === all;
      if (stages === 0) return offered && outReady & 1 ? all | 0x10000 : 0;
      if (held === 0 && !offered) return 0;
      const offers = valid[head];
      if (offers && (outReady & 1) === 0) return 0;
      valid[head] = offered ? 1 : 0;
      held += valid[head] - offers;
      head = head === 0 ? stages - 1 : head - 1;
      return (offered ? all : 0) | (offers ? 0x10000 : 0);
    },
    reset() {
      valid.fill(0);
      head = 0;
      held = 0;
    },
    stateKey() {
      let key = "";
      for (let i = 0; i < stages; i++) key += valid[(head + i) % stages];
      return key;
    },
  };
}
