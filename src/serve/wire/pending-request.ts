import {
  type InferenceCore,
  type InferenceRequest,
  type InferenceResponse,
  type InputSlot,
  type OutputHeader,
  type OutputTensor,
  type Parameters,
  ServeError,
} from "../core/index.ts";
import type { Client } from "./client.ts";
import { placementOf, type SharedPlacement } from "./placement.ts";

/** One tensor as a request's header names it. */
export interface NamedTensor {
  readonly name: string;
  readonly parameters?: Parameters | undefined;
}

/** An input as a request's header describes it. */
export interface NamedInput extends NamedTensor {
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** What stands in a request, on any wire, before the bytes of its tensors. */
export interface WireHeader {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  readonly parameters?: Parameters | undefined;
  readonly inputs: readonly NamedInput[];
  readonly outputs: readonly NamedTensor[];
}

/**
 * A request whose header the core accepted, with the tensors that stand in shared memory.
 * What the wires share between the header and the answer.
 */
export class PendingRequest {
  readonly request: InferenceRequest;
  /** The inputs whose bytes travel in the message, in order. */
  readonly wireSlots: readonly InputSlot[];
  readonly #core: InferenceCore;
  readonly #inputs: readonly (SharedPlacement | undefined)[] | undefined;
  readonly #outputs: ReadonlyMap<string, SharedPlacement> | undefined;

  /** @throws ServeError: the request is refused and nothing is held */
  constructor(core: InferenceCore, header: WireHeader, client: Client) {
    this.#core = core;
    const inputs = placements(header.inputs);
    const outputs = placements(header.outputs);
    if ((inputs ?? outputs) !== undefined && !client.isLocal) {
      throw new ServeError(
        "INVALID_ARG",
        "shared memory is for clients on the server's own machine; send the tensors in the message",
      );
    }
    this.#inputs = inputs;
    this.#outputs =
      outputs &&
      new Map(
        header.outputs.flatMap(({ name }, at) => {
          const place = outputs[at];
          return place === undefined ? [] : [[name, place] as const];
        }),
      );
    this.request = core.begin({
      model: header.model,
      version: header.version,
      id: header.id,
      inputs: header.inputs,
      outputs: header.outputs.length === 0 ? noOutputs : header.outputs.map(outputHeader),
      parameters: header.parameters,
      deadlineMs: client.deadlineMs,
      traceparent: client.traceparent,
    });
    const slots = this.request.inputs;
    this.wireSlots =
      inputs === undefined ? slots : slots.filter((_, at) => inputs[at] === undefined);
  }

  /**
   * Looks that every input has its bytes, and fetches those in shared memory.
   * @throws ServeError INVALID_ARG "unable to find data ..."; the caller cancels
   */
  complete(): void {
    const { inputs, model } = this.request;
    for (let at = 0; at < inputs.length; at++) {
      const place = this.#inputs?.[at];
      if (place !== undefined) {
        this.#core.sharedMemory.read(place.region, place.offset, inputs[at].open(place.byteSize));
      } else if (inputs[at].bytes === undefined) {
        throw new ServeError(
          "INVALID_ARG",
          `unable to find data for input tensor '${inputs[at].name}' for model '${model}' in request.`,
        );
      }
    }
  }

  /** Puts the outputs that shall go to shared memory there. @throws ServeError */
  storeShared(response: InferenceResponse): void {
    if (this.#outputs === undefined) return;
    for (const { name, bytes } of response.outputs) {
      const place = this.#outputs.get(name);
      if (place === undefined) continue;
      const { region, offset, byteSize } = place;
      this.#core.sharedMemory.write(region, offset, byteSize, name, bytes);
    }
  }

  /** Whether an output's bytes went to shared memory and do not travel. */
  isShared(output: OutputTensor): boolean {
    return this.#outputs?.has(output.name) ?? false;
  }
}

const noOutputs: readonly OutputHeader[] = [];

/** A placement for each tensor, or undefined if none has one, as is usual. */
function placements(
  tensors: readonly NamedTensor[],
): readonly (SharedPlacement | undefined)[] | undefined {
  if (tensors.every(({ parameters }) => parameters === undefined)) return undefined;
  const places = tensors.map(({ name, parameters }) => placementOf(parameters, name));
  return places.every((place) => place === undefined) ? undefined : places;
}

function outputHeader({ name, parameters }: NamedTensor): OutputHeader {
  const classification = parameters?.get("classification");
  if (classification === undefined) return { name };
  const count = Number(classification);
  if (!Number.isSafeInteger(count) || count < 0 || typeof classification === "boolean") {
    throw new ServeError(
      "INVALID_ARG",
      `'classification' of output '${name}' must be an integer of at least 0`,
    );
  }
  return { name, classification: count };
}
