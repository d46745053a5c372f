import { fail } from "../../base/index.ts";
import { configDatatype, type Datatype, datatypeOfConfig } from "../core/datatype.ts";
import type { ModelConfig, ModelTensorConfig } from "../core/model-config.ts";
import { type ModelSignature, type TensorSpec, tensorSpec } from "../core/signature.ts";
import type { TextMessage } from "./text-format.ts";

/** What a backend knows of one tensor of a model. */
export interface TensorFact {
  readonly name: string;
  /** Types that it can take or give, the usual one first. */
  readonly datatypes: readonly Datatype[];
  /** Of one row, without the batch axis; -1 where any size may come. */
  readonly dims: readonly number[];
  /** With the batch axis as the model has it, for configs with `max_batch_size: 0`. */
  readonly fullDims: readonly number[];
  /** The model does not say of what shape it is: the config must. */
  readonly isShapeUnknown?: boolean;
}

/** What a backend knows of a model. */
export interface ModelFacts {
  readonly platform: string;
  readonly backend: string;
  readonly inputs: readonly TensorFact[];
  readonly outputs: readonly TensorFact[];
  /** `max_batch_size` where the config does not say; 0 for a model without a batch axis. */
  readonly maxBatchSize: number;
  /** `KIND_MODEL` where the device decides, `KIND_CPU`. */
  readonly instanceKind: string;
}

/** The dynamic batching of a model that has no `config.pbtxt`: as much as there is, without waiting. */
export const defaultBatching = {
  max_queue_delay_microseconds: 0,
  default_queue_policy: { allow_timeout_override: true },
};

/**
 * Makes a model's config complete: what its file leaves out comes from the model, what it says must agree
 * with that.
 *
 * @param given what the file says; undefined where there is no file
 * @throws N2F_CONFIG_INVALID
 */
export function completeConfig(
  name: string,
  given: TextMessage | undefined,
  facts: ModelFacts,
  at: string,
): ModelConfig {
  const config = { ...(given as Partial<ModelConfig> | undefined) };
  const wrong = (message: string, hint?: string): never =>
    fail("N2F_CONFIG_INVALID", message, { at, ...(hint !== undefined && { hint }) });
  if (config.name !== undefined && config.name !== name) {
    wrong(
      `the config names the model "${config.name}", its folder is "${name}"`,
      "Leave the name out, or give both the same.",
    );
  }
  if (config["sequence_batching"] !== undefined) wrong("sequence_batching is not supported");
  if ((config as TextMessage)["model_transaction_policy"] !== undefined) {
    const policy = config["model_transaction_policy"] as { decoupled?: boolean };
    if (policy.decoupled === true) wrong("decoupled models are not supported");
  }
  const { preserve_ordering: isOrdered, priority_levels: levels = 0 } =
    config.dynamic_batching ?? {};
  if (isOrdered === true && Number(levels) > 1) {
    wrong(
      `dynamic_batching has preserve_ordering and ${levels} priority_levels`,
      "Either answers keep the order of the requests, or urgent requests are first.",
    );
  }
  const maxBatchSize = config.max_batch_size ?? facts.maxBatchSize;
  if (!(Number.isInteger(maxBatchSize) && maxBatchSize >= 0)) {
    wrong(`max_batch_size is ${maxBatchSize}`, "Give a whole number of at least 0.");
  }
  if (maxBatchSize > 0 && facts.maxBatchSize === 0) {
    wrong(
      `max_batch_size is ${maxBatchSize}, but the model has no batch axis`,
      "Set it to 0, or leave it out.",
    );
  }
  const tensors = (direction: "input" | "output"): readonly ModelTensorConfig[] =>
    completeTensors(
      direction,
      config[direction],
      direction === "input" ? facts.inputs : facts.outputs,
      maxBatchSize,
      wrong,
    );
  const groups = config.instance_group ?? [{}];
  return {
    ...config,
    name,
    platform: config.platform || (config.backend ? "" : facts.platform),
    backend: config.backend || facts.backend,
    version_policy: config.version_policy ?? { latest: { num_versions: 1 } },
    max_batch_size: maxBatchSize,
    input: tensors("input"),
    output: tensors("output"),
    instance_group: groups.map((group, i) => ({
      ...group,
      name: group.name ?? `${name}_${i}`,
      kind:
        group.kind === undefined || group.kind === "KIND_AUTO" ? facts.instanceKind : group.kind,
      count: group.count ?? 1,
    })),
    ...(given === undefined && maxBatchSize > 0 && { dynamic_batching: defaultBatching }),
  };
}

function completeTensors(
  direction: string,
  given: readonly Partial<ModelTensorConfig>[] | undefined,
  facts: readonly TensorFact[],
  maxBatchSize: number,
  wrong: (message: string, hint?: string) => never,
): readonly ModelTensorConfig[] {
  const dimsOf = (fact: TensorFact) => (maxBatchSize > 0 ? fact.dims : fact.fullDims);
  if (given === undefined || given.length === 0) {
    const unknown = facts.find(({ isShapeUnknown }) => isShapeUnknown === true);
    if (unknown !== undefined) {
      wrong(
        `the model does not say of what shape its ${direction} ${unknown.name} is`,
        "Say it in config.pbtxt: `input { name dims }`, and a max_batch_size.",
      );
    }
    return facts.map((fact) => ({
      name: fact.name,
      data_type: configDatatype(fact.datatypes[0]),
      dims: dimsOf(fact),
    }));
  }
  const names = facts.map(({ name }) => name);
  const isAll = direction === "output" || given.length === facts.length;
  if (!isAll || new Set(given.map(({ name }) => name)).size !== given.length) {
    wrong(
      `the config has ${given.length} ${direction}s, the model ${facts.length}: ${names.join(", ")}`,
    );
  }
  return given.map((tensor) => {
    const fact = facts.find(({ name }) => name === tensor.name);
    if (fact === undefined) {
      return wrong(
        `the config has an ${direction} "${tensor.name ?? ""}" that the model does not have`,
        `The model has ${names.join(", ")}.`,
      );
    }
    const datatype =
      tensor.data_type === undefined ? fact.datatypes[0] : datatypeOfConfig(tensor.data_type);
    if (datatype === undefined || !fact.datatypes.includes(datatype)) {
      wrong(
        `${direction} ${fact.name} cannot have the type ${tensor.data_type}`,
        `It can have ${fact.datatypes.map(configDatatype).join(", ")}.`,
      );
    }
    const dims = dimsOf(fact);
    const given = tensor.dims ?? dims;
    const fits =
      given.length === dims.length &&
      dims.every((extent, i) => extent === -1 || given[i] === extent);
    if (!fits && fact.isShapeUnknown !== true) {
      wrong(
        `${direction} ${fact.name} has dims [${given}] in the config and [${dims}] in the model`,
        maxBatchSize > 0
          ? "With a max_batch_size, dims leave the batch axis out."
          : "With max_batch_size 0, dims are the whole shape.",
      );
    }
    return {
      ...tensor,
      name: fact.name,
      data_type: configDatatype(datatype as Datatype),
      dims: given,
    };
  });
}

/** What requests must look like, from a complete config. */
export function signatureOf(
  config: ModelConfig,
  version: string,
  labels: (file: string) => readonly string[],
): ModelSignature {
  const spec = ({ name, data_type, dims, label_filename }: ModelTensorConfig): TensorSpec =>
    tensorSpec(
      name,
      datatypeOfConfig(data_type) as Datatype,
      dims,
      label_filename ? labels(label_filename) : undefined,
    );
  return {
    model: config.name,
    version,
    maxBatchSize: config.max_batch_size,
    inputs: config.input.map(spec),
    outputs: config.output.map(spec),
  };
}
