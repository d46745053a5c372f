import { fail } from "../../base/index.ts";
import { type Datatype, datatypeOfConfig } from "../core/datatype.ts";
import type { ModelTensorConfig } from "../core/model-config.ts";
import type { ModelFacts, TensorFact } from "../repository/model-config.ts";
import type { TextMessage } from "../repository/text-format.ts";
import type { Executor, RunPart } from "../scheduler/executor.ts";
import type { DeviceLane } from "../scheduler/lane.ts";
import type { RunTimes } from "../scheduler/recorder.ts";

/**
 * Models of the backend "identity": the k-th output is the k-th input, whatever its type and size. For
 * trying clients, without a network. All of them is in their config.
 */
export function identityFacts(config: TextMessage, at: string): ModelFacts {
  const tensors = (direction: "input" | "output"): readonly TensorFact[] =>
    ((config[direction] ?? []) as readonly ModelTensorConfig[]).map((tensor) => {
      const { name = "", dims = [] } = tensor;
      return { name, datatypes: [typeOf(tensor, at)], dims, fullDims: dims };
    });
  const [inputs, outputs] = [tensors("input"), tensors("output")];
  const isAlike =
    inputs.length > 0 &&
    inputs.length === outputs.length &&
    inputs.every(
      ({ datatypes, dims }, i) =>
        datatypes[0] === outputs[i].datatypes[0] && String(dims) === String(outputs[i].dims),
    );
  if (!isAlike) {
    fail("N2F_CONFIG_INVALID", "outputs of an identity model must be like its inputs", { at });
  }
  // The config decides about batches; any size is possible.
  return {
    platform: "",
    backend: "identity",
    inputs,
    outputs,
    maxBatchSize: Number(config["max_batch_size"] ?? 0),
    instanceKind: "KIND_CPU",
  };
}

function typeOf({ name, data_type }: ModelTensorConfig, at: string): Datatype {
  return (
    datatypeOfConfig(data_type) ??
    fail("N2F_CONFIG_INVALID", `tensor ${name} has no data_type`, { at })
  );
}

export class IdentityExecutor implements Executor {
  readonly maxRows = Number.POSITIVE_INFINITY;
  readonly isBatching = false;
  readonly lane: DeviceLane;

  constructor(lane: DeviceLane) {
    this.lane = lane;
  }

  async run(parts: readonly RunPart[]): Promise<RunTimes> {
    const started = performance.now();
    for (const { request } of parts) {
      const { outputs } = request.owner.signature;
      for (let i = 0; i < outputs.length; i++) {
        if (request.isSettled || !request.isWanted(i)) continue;
        const { bytes, shape } = request.input(i);
        request.output(i, bytes.length, shape).set(bytes);
      }
    }
    return { inputMs: 0, inferMs: performance.now() - started, outputMs: 0 };
  }

  async close(): Promise<void> {}
}
