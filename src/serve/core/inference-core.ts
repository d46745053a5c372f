import type { InferenceRequest, RequestHeader } from "./inference.ts";
import type { ModelConfig } from "./model-config.ts";
import type { SharedMemoryRegistry } from "./shared-memory.ts";
import type { ModelMetrics, ModelStatistics } from "./statistics.ts";

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** With a leading -1 where the model has a batch axis. */
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  /** Ready versions, integers as text, ascending. */
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export interface RepositoryEntry {
  readonly name: string;
  /** "" where no version is known. */
  readonly version: string;
  readonly state: "READY" | "UNAVAILABLE" | "LOADING" | "UNLOADING";
  readonly reason: string;
}

export interface LoadOptions {
  /** JSON text that replaces the model's `config.pbtxt`. */
  readonly config?: string;
  /** Files that stand for the model's folder, by path below it (`1/model.n2f.zip`), without `file:`. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

/** Bytes that requests hold, against the limit that the operator set. */
export interface Pressure {
  readonly bytesInFlight: number;
  readonly limitBytes: number;
  /** True: read nothing more from sockets (grant no window) until `onRelief` calls. */
  readonly isHigh: boolean;
  /** Calls once, when pressure has fallen below the low mark; at once (next tick) if it is low. */
  onRelief(callback: () => void): void;
}

/** Settings of Triton's trace extension: every value is a list of texts. */
export type TraceSettings = Readonly<Record<string, readonly string[]>>;
/** Settings of Triton's log extension. */
export type LogSettings = Readonly<Record<string, boolean | number | string>>;

/**
 * The server without its wires: models, their queues, their devices. All functions but load and unload are
 * synchronous. Errors are `ServeError`s.
 */
export interface InferenceCore {
  /** `isLive` until it is closed; `isReady` when the models are loaded and no drain has begun. */
  readonly isLive: boolean;
  readonly isReady: boolean;
  metadata(): ServerMetadata;

  /** Unknown models are not ready; this never throws. "" is the version of the policy. */
  isModelReady(model: string, version: string): boolean;
  /** @throws NOT_FOUND "Request for unknown model: ...", UNAVAILABLE */
  modelMetadata(model: string, version: string): ModelMetadata;
  /** @throws NOT_FOUND, UNAVAILABLE */
  modelConfig(model: string, version: string): ModelConfig;
  /** "" for the model: all. Every ready version has an entry. @throws NOT_FOUND, UNAVAILABLE */
  modelStatistics(model: string, version: string): readonly ModelStatistics[];
  /** The only ready model, or the one that the operator named; for protocols whose requests name none. */
  defaultModel(): string | undefined;

  /** Whether clients may load and unload (`--model-control explicit`). */
  readonly isModelControlAllowed: boolean;
  repositoryIndex(options: { readonly ready: boolean }): readonly RepositoryEntry[];
  /** Reads the model's folder again, or for the first time; the old version serves until the new one is ready. */
  loadModel(model: string, options?: LoadOptions): Promise<void>;
  unloadModel(model: string, options?: { readonly unloadDependents: boolean }): Promise<void>;

  /** Accepts a request by its header. @throws ServeError: the request is refused and nothing is held */
  begin(header: RequestHeader): InferenceRequest;
  readonly pressure: Pressure;
  readonly sharedMemory: SharedMemoryRegistry;

  metrics(): readonly ModelMetrics[];
  traceSettings(model: string): TraceSettings;
  /** Null removes a setting, back to the default. Gives the settings after it. */
  updateTraceSettings(
    model: string,
    settings: Readonly<Record<string, readonly string[] | null>>,
  ): TraceSettings;
  logSettings(): LogSettings;
  updateLogSettings(settings: LogSettings): LogSettings;

  /** From now on not ready; requests are still taken until `close`. */
  startDrain(): void;
  /** Resolves when no request is queued or running, or when the time is over. */
  idle(timeoutMs: number): Promise<boolean>;
  /** Refuses new requests (UNAVAILABLE "Server exiting"), fails queued ones, frees the devices. */
  close(): Promise<void>;
}
