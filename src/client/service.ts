import type { WireTensor } from "./tensor.ts";

export interface InferRequest {
  readonly model: string;
  /** "" takes the newest that the server's policy allows. */
  readonly version: string;
  readonly inputs: readonly WireTensor[];
  /** Which outputs; empty for all. */
  readonly outputs: readonly string[];
}

export interface InferResponse {
  readonly version: string;
  readonly outputs: readonly WireTensor[];
}

export interface ModelTensor {
  readonly name: string;
  readonly datatype: string;
  /** -1 where any size may come; the batch axis is first and -1. */
  readonly shape: readonly number[];
}

export interface ModelDescription {
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
}

/** How a server has done with a model so far. */
export interface ModelHealth {
  readonly isReady: boolean;
  readonly failures: number;
  /** Mean time of a successful request, in ns; 0 before the first. */
  readonly meanNs: number;
}

/** Something that answers requests: a server behind the network, or a device in this process. */
export interface InferenceService {
  readonly name: string;
  /** Names of the models it lists. @throws ServiceError */
  models(): Promise<readonly string[]>;
  describe(model: string, version: string): Promise<ModelDescription>;
  health(model: string): Promise<ModelHealth>;
  /** @param timeoutMs 0 waits as long as it takes */
  infer(request: InferRequest, timeoutMs: number): Promise<InferResponse>;
  close(): Promise<void>;
}

/**
 * A call that failed. Whether another try may help is decided by where it comes from: what the service or
 * the network says is worth one, a mistake in the job's own code is not.
 */
export class ServiceError extends Error {
  readonly service: string;
  /** Status of gRPC: 4 the deadline, 14 unavailable, 3 a request that the model does not take, ... */
  readonly status: number;

  constructor(service: string, status: number, message: string, options?: { cause?: unknown }) {
    super(`${service}: ${message}`, options);
    this.name = "ServiceError";
    this.service = service;
    this.status = status;
  }
}
