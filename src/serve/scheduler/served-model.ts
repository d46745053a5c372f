import { ActiveRequest, type RequestOwner } from "../core/active-request.ts";
import type { BufferPool } from "../core/buffer-pool.ts";
import { checkHeader, checkParameters } from "../core/check-request.ts";
import type { RequestHeader } from "../core/inference.ts";
import type { ModelSignature } from "../core/signature.ts";
import type { FailureReason } from "../core/statistics.ts";
import type { Recorder } from "./recorder.ts";

/** A version of a model that takes requests, until it is retired and the last of them has left. */
export abstract class ServedModel implements RequestOwner {
  readonly signature: ModelSignature;
  readonly recorder: Recorder;
  #outstanding = 0;
  #isRetired = false;
  #idle: (() => void)[] = [];

  constructor(signature: ModelSignature, recorder: Recorder) {
    this.signature = signature;
    this.recorder = recorder;
  }

  /** Requests between `begin` and their answer. */
  get outstanding(): number {
    return this.#outstanding;
  }

  abstract readonly pendingRequests: number;
  abstract readonly pendingBytes: number;

  /** @throws ServeError INVALID_ARG */
  begin(header: RequestHeader, pool: BufferPool): ActiveRequest {
    const scheduling = checkParameters(header.parameters, this.signature.model);
    const checked = checkHeader(this.signature, header);
    const request = new ActiveRequest(this, header, checked, scheduling, pool);
    this.#outstanding++;
    return request;
  }

  abstract enqueue(request: ActiveRequest): void;
  abstract drop(request: ActiveRequest): void;

  left(request: ActiveRequest, failure: FailureReason | undefined): void {
    this.#outstanding--;
    if (failure !== undefined) this.recorder.fail(failure, performance.now() - request.begunMs);
    this.checkIdle();
  }

  /** Takes no new requests; resolves when the last has been answered and the devices are free. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    if (!this.isIdle()) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.release();
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Fails all that waits. */
  abstract abort(): void;

  protected isIdle(): boolean {
    return this.#outstanding === 0;
  }

  protected checkIdle(): void {
    if (!this.isIdle()) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }

  protected abstract release(): Promise<void>;
}
