import type { ModelConfig, QueuePolicy } from "../core/model-config.ts";

/** How one level of a queue treats its requests. */
export interface LevelPolicy {
  readonly isRejecting: boolean;
  /** 0 for none. */
  readonly defaultTimeoutUs: number;
  readonly allowsOverride: boolean;
  /** 0 for the server's bound. */
  readonly maxQueueSize: number;
}

/** A model's `dynamic_batching` and what follows from it, made complete. */
export interface SchedulingPolicy {
  /** Whether rows of several requests may share a run. */
  readonly isBatching: boolean;
  readonly delayMs: number;
  /** Whether answers keep the order of the requests. */
  readonly isOrdered: boolean;
  readonly preferredRows: ReadonlySet<number>;
  /** Index 0 is the priority 1 of clients. */
  readonly levels: readonly LevelPolicy[];
  readonly defaultLevel: number;
}

/** Bounds that the operator set, for every model. */
export interface QueueLimits {
  readonly requests: number;
  readonly bytes: number;
}

/** Reads the policy out of a complete config. Without `dynamic_batching` each request runs by itself. */
export function schedulingPolicy({ dynamic_batching: batching }: ModelConfig): SchedulingPolicy {
  const levels = Math.max(1, Number(batching?.priority_levels ?? 0));
  const policies = batching?.priority_queue_policy ?? {};
  const fallback = batching?.default_queue_policy ?? {};
  return {
    isBatching: batching !== undefined,
    delayMs: Number(batching?.max_queue_delay_microseconds ?? 0) / 1000,
    isOrdered: batching?.preserve_ordering ?? false,
    preferredRows: new Set(batching?.preferred_batch_size ?? []),
    levels: Array.from({ length: levels }, (_, i) => levelPolicy(policies[i + 1] ?? fallback)),
    defaultLevel: Math.max(1, Number(batching?.default_priority_level ?? 1)) - 1,
  };
}

function levelPolicy(policy: QueuePolicy): LevelPolicy {
  return {
    isRejecting: policy.timeout_action !== "DELAY",
    defaultTimeoutUs: Number(policy.default_timeout_microseconds ?? 0),
    allowsOverride: policy.allow_timeout_override ?? false,
    maxQueueSize: Number(policy.max_queue_size ?? 0),
  };
}
