/** What a field of `config.pbtxt` holds. */
export type FieldKind =
  | "string"
  | "int"
  | "float"
  | "bool"
  /** A name without quotes. */
  | "enum"
  /** A message whose fields are read as they come. */
  | "any"
  | Message;

export interface Message {
  readonly fields: Readonly<Record<string, Field>>;
}

export interface Field {
  readonly kind: FieldKind;
  readonly isRepeated?: boolean;
  /** A map: entries of a key (string or number) and a value of `kind`. */
  readonly isMap?: boolean;
}

const one = (kind: FieldKind): Field => ({ kind });
const many = (kind: FieldKind): Field => ({ kind, isRepeated: true });
const map = (kind: FieldKind): Field => ({ kind, isMap: true });
const message = (fields: Readonly<Record<string, Field>>): Message => ({ fields });

const [string, int, bool, enumeration, any] = [
  one("string"),
  one("int"),
  one("bool"),
  one("enum"),
  one("any"),
];

const reshape = one(message({ shape: many("int") }));

const queuePolicy = message({
  timeout_action: enumeration,
  default_timeout_microseconds: int,
  allow_timeout_override: bool,
  max_queue_size: int,
});

/**
 * The fields of Triton's model configuration, by name: those that this server or its clients look into in
 * full, the rest as whatever stands there.
 *
 * @see https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html
 */
export const modelConfigSchema: Message = message({
  name: string,
  platform: string,
  backend: string,
  runtime: string,
  version_policy: one(
    message({
      latest: one(message({ num_versions: int })),
      all: one(message({})),
      specific: one(message({ versions: many("int") })),
    }),
  ),
  max_batch_size: int,
  input: many(
    message({
      name: string,
      data_type: enumeration,
      format: enumeration,
      dims: many("int"),
      reshape,
      is_shape_tensor: bool,
      allow_ragged_batch: bool,
      optional: bool,
      is_non_linear_format_io: bool,
    }),
  ),
  output: many(
    message({
      name: string,
      data_type: enumeration,
      dims: many("int"),
      reshape,
      label_filename: string,
      is_shape_tensor: bool,
      is_non_linear_format_io: bool,
    }),
  ),
  batch_input: many("any"),
  batch_output: many("any"),
  optimization: any,
  dynamic_batching: one(
    message({
      preferred_batch_size: many("int"),
      max_queue_delay_microseconds: int,
      preserve_ordering: bool,
      priority_levels: int,
      default_priority_level: int,
      default_queue_policy: one(queuePolicy),
      priority_queue_policy: map(queuePolicy),
    }),
  ),
  sequence_batching: any,
  ensemble_scheduling: one(
    message({
      step: many(
        message({
          model_name: string,
          model_version: int,
          model_namespace: string,
          input_map: map("string"),
          output_map: map("string"),
        }),
      ),
    }),
  ),
  instance_group: many(
    message({
      name: string,
      kind: enumeration,
      count: int,
      rate_limiter: any,
      gpus: many("int"),
      secondary_devices: many("any"),
      profile: many("string"),
      passive: bool,
      host_policy: string,
    }),
  ),
  default_model_filename: string,
  cc_model_filenames: map("string"),
  metric_tags: map("string"),
  parameters: map(message({ string_value: string })),
  model_warmup: many("any"),
  model_operations: any,
  model_transaction_policy: one(message({ decoupled: bool })),
  model_repository_agents: one(
    message({ agents: many(message({ name: string, parameters: map("string") })) }),
  ),
  response_cache: one(message({ enable: bool })),
  model_metrics: any,
});
