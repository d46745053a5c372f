/**
 * A model's configuration as data: the field names of Triton's `model_config.proto`, enums by name, 64-bit
 * integers as numbers, maps as objects. It is JSON as it stands, and what `config.pbtxt` says, complete
 * with what the file left out. Fields that the server does not use are kept and echoed.
 */
export interface ModelConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly version_policy: VersionPolicy;
  readonly max_batch_size: number;
  readonly input: readonly ModelTensorConfig[];
  readonly output: readonly ModelTensorConfig[];
  readonly instance_group?: readonly InstanceGroup[];
  readonly dynamic_batching?: DynamicBatching;
  readonly ensemble_scheduling?: { readonly step: readonly EnsembleStep[] };
  readonly parameters?: Readonly<Record<string, { readonly string_value: string }>>;
  readonly model_repository_agents?: {
    readonly agents: readonly {
      readonly name: string;
      readonly parameters?: Readonly<Record<string, string>>;
    }[];
  };
  readonly [field: string]: unknown;
}

export type VersionPolicy =
  | { readonly latest: { readonly num_versions: number } }
  | { readonly all: Readonly<Record<string, never>> }
  | { readonly specific: { readonly versions: readonly number[] } };

export interface ModelTensorConfig {
  readonly name: string;
  /** `TYPE_FP32`, ... */
  readonly data_type: string;
  /** Without the batch axis. -1 where any size may come. */
  readonly dims: readonly number[];
  readonly label_filename?: string;
  readonly [field: string]: unknown;
}

export interface InstanceGroup {
  readonly name?: string;
  readonly kind?: string;
  readonly count?: number;
  readonly [field: string]: unknown;
}

export interface QueuePolicy {
  /** What happens at the timeout: `REJECT` (default) or `DELAY` behind all others. */
  readonly timeout_action?: "REJECT" | "DELAY";
  readonly default_timeout_microseconds?: number;
  readonly allow_timeout_override?: boolean;
  /** 0 for the server's own bound. */
  readonly max_queue_size?: number;
}

export interface DynamicBatching {
  readonly preferred_batch_size?: readonly number[];
  readonly max_queue_delay_microseconds?: number;
  readonly preserve_ordering?: boolean;
  readonly priority_levels?: number;
  readonly default_priority_level?: number;
  readonly default_queue_policy?: QueuePolicy;
  readonly priority_queue_policy?: Readonly<Record<string, QueuePolicy>>;
}

export interface EnsembleStep {
  readonly model_name: string;
  readonly model_version?: number;
  readonly input_map: Readonly<Record<string, string>>;
  readonly output_map: Readonly<Record<string, string>>;
}
