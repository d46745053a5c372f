import type { BufferPool } from "../core/buffer-pool.ts";
import type { ModelSignature } from "../core/signature.ts";
import type { Recorder } from "../scheduler/recorder.ts";
import type { ServedModel } from "../scheduler/served-model.ts";
import { EnsembleModel } from "./ensemble-model.ts";

/** The front of a network on a device and its rest on the processor, as one model. Both belong to it alone. */
export class PipelineModel extends EnsembleModel {
  readonly #front: ServedModel;
  readonly #rest: ServedModel;

  /** The rest's inputs are the front's outputs, by name. */
  constructor(
    signature: ModelSignature,
    recorder: Recorder,
    front: ServedModel,
    rest: ServedModel,
    pool: BufferPool,
  ) {
    const halves = new Map([front, rest].map((half) => [half.signature.model, half]));
    const steps = [front, rest].map(({ signature: { model, inputs, outputs } }) => ({
      model_name: model,
      input_map: sameNames(inputs),
      output_map: sameNames(outputs),
    }));
    super(signature, recorder, steps, (header) =>
      (halves.get(header.model) as ServedModel).begin(header, pool),
    );
    this.#front = front;
    this.#rest = rest;
  }

  override get pendingRequests(): number {
    return this.#front.pendingRequests + this.#rest.pendingRequests;
  }

  override get pendingBytes(): number {
    return this.#front.pendingBytes + this.#rest.pendingBytes;
  }

  override abort(): void {
    super.abort();
    this.#front.abort();
    this.#rest.abort();
  }

  protected override async release(): Promise<void> {
    await Promise.all([this.#front.retire(), this.#rest.retire()]);
  }
}

function sameNames(tensors: readonly { readonly name: string }[]): Record<string, string> {
  return Object.fromEntries(tensors.map(({ name }) => [name, name]));
}
