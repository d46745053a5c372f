import type { IncomingMessage, ServerResponse } from "node:http";
import {
  datatypeBytes,
  type InferenceCore,
  type InferenceResponse,
  type InputSlot,
  isDatatype,
  type OutputTensor,
  ServeError,
} from "../core/index.ts";
import type { Client } from "../wire/client.ts";
import { PendingRequest } from "../wire/pending-request.ts";
import { type BodySink, readBody, sendBody } from "./body.ts";
import { badJson } from "./http-error.ts";
import { type InferJson, parseInferJson } from "./infer-json.ts";
import { fillFromJson, jsonOfOutput } from "./json-tensor.ts";

/** How long the JSON is, where binary tensors follow it. */
const headerLengthName = "inference-header-content-length";

/** What an inference endpoint is asked with. */
export interface InferTarget {
  readonly core: InferenceCore;
  readonly model: string;
  readonly version: string;
  readonly client: Client;
  readonly maxBytes: number;
}

/** Serves `POST v2/models/MODEL/infer`; `fail` answers with an error. */
export function serveInfer(
  target: InferTarget,
  request: IncomingMessage,
  response: ServerResponse,
  fail: (error: unknown) => void,
): void {
  const body = new InferBody(target, request, response, fail);
  response.once("close", () => body.cancel());
  readBody(request, target.maxBytes, body);
}

/**
 * The body of one inference request: JSON, then the binary tensors that it announces, which go straight
 * from the socket's chunks into the core's buffers.
 */
class InferBody implements BodySink {
  readonly #target: InferTarget;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #fail: (error: unknown) => void;
  /** Bytes of JSON in front; undefined if the body is JSON alone. */
  readonly #jsonBytes: number | undefined;

  #pieces: Buffer[] = [];
  #gathered = 0;
  #json: InferJson | undefined;
  #pending: PendingRequest | undefined;
  #isRaw = false;

  /** The binary tensors that are still to come, and how much of the first is there. */
  #open: { readonly slot: InputSlot; readonly size: number }[] = [];
  #target0: Uint8Array | undefined;
  #filled = 0;

  constructor(
    target: InferTarget,
    request: IncomingMessage,
    response: ServerResponse,
    fail: (error: unknown) => void,
  ) {
    this.#target = target;
    this.#request = request;
    this.#response = response;
    this.#fail = fail;
    const header = request.headers[headerLengthName];
    if (header === undefined) return;
    this.#jsonBytes = /^\d{1,15}$/.test(String(header)) ? Number(header) : -1;
    this.#isRaw = this.#jsonBytes === 0;
  }

  push(chunk: Buffer): void {
    if (this.#jsonBytes === -1) throw badJson(`'${headerLengthName}' must be an integer`);
    let rest = chunk;
    if (this.#json === undefined) {
      this.#pieces.push(chunk);
      this.#gathered += chunk.length;
      if (this.#jsonBytes === undefined || this.#isRaw || this.#gathered < this.#jsonBytes) return;
      const bytes = this.#takeGathered();
      this.#begin(parseInferJson(bytes.toString("utf8", 0, this.#jsonBytes)));
      rest = bytes.subarray(this.#jsonBytes);
    }
    this.#scatter(rest);
  }

  finish(): void {
    if (this.#isRaw) this.#beginRaw(this.#takeGathered());
    else if (this.#json === undefined) {
      if (this.#jsonBytes !== undefined) {
        throw badJson(
          `the request has ${this.#gathered} bytes, but '${headerLengthName}' says ${this.#jsonBytes}`,
        );
      }
      this.#begin(parseInferJson(this.#takeGathered().toString("utf8")));
    }
    const { inputs = [] } = this.#json ?? {};
    const pending = this.#pending as PendingRequest;
    const [missing] = this.#open;
    if (missing !== undefined) {
      throw badJson(
        `the request ends ${missing.size - this.#filled} bytes before the binary data of input ` +
          `'${missing.slot.name}' does`,
      );
    }
    for (const slot of pending.wireSlots) {
      const input = inputs.find(({ name }) => name === slot.name);
      if (input !== undefined && input.binarySize === undefined && input.data !== undefined) {
        fillFromJson(input.data, slot);
      }
    }
    pending.complete();
    pending.request.submit((error, answer) => {
      if (answer === undefined) this.#fail(error);
      else this.#answer(pending, answer);
    });
  }

  fail(error: unknown): void {
    this.cancel();
    this.#fail(error);
  }

  cancel(): void {
    this.#pending?.request.cancel();
    this.#open = [];
    this.#target0 = undefined;
  }

  #takeGathered(): Buffer {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return bytes;
  }

  #begin(json: InferJson): void {
    const { core, model, version, client } = this.#target;
    this.#json = json;
    const { id, parameters, inputs, outputs } = json;
    const header = { model, version, id, parameters, inputs, outputs };
    const pending = new PendingRequest(core, header, client);
    this.#pending = pending;
    for (const slot of pending.wireSlots) {
      const size = inputs.find(({ name }) => name === slot.name)?.binarySize;
      if (size !== undefined) this.#open.push({ slot, size });
    }
    this.#next();
  }

  /** Opens the buffer of the next binary tensor; empty ones are complete at once. */
  #next(): void {
    this.#filled = 0;
    this.#target0 = undefined;
    while (this.#open.length > 0 && this.#target0 === undefined) {
      const [{ slot, size }] = this.#open;
      if (size > this.#target.maxBytes) {
        throw badJson(`'binary_data_size' of input '${slot.name}' is ${size}, more than may come`);
      }
      const bytes = slot.open(size);
      if (size === 0) this.#open.shift();
      else this.#target0 = bytes;
    }
  }

  #scatter(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const into = this.#target0;
      if (into === undefined) {
        throw badJson(`the request has bytes behind what its JSON announces`);
      }
      const take = Math.min(into.length - this.#filled, chunk.length - at);
      into.set(chunk.subarray(at, at + take), this.#filled);
      at += take;
      this.#filled += take;
      if (this.#filled < into.length) continue;
      this.#open.shift();
      this.#next();
    }
  }

  /** A body that is one tensor and nothing else, for the one input of a model. */
  #beginRaw(body: Buffer): void {
    const { core, model, version } = this.#target;
    const { inputs } = core.modelMetadata(model, version);
    if (inputs.length !== 1) {
      throw badJson(
        `Raw request must only have 1 input (found ${inputs.length}) to be deduced but got ` +
          `${inputs.length} inputs in '${model}' model configuration`,
      );
    }
    const [{ name, datatype, shape }] = inputs;
    const isBytes = datatype === "BYTES";
    const input = {
      name,
      datatype,
      shape: isBytes
        ? shape.map((size) => (size === -1 ? 1 : size))
        : rawShape(shape, datatype, body),
      parameters: undefined,
      binarySize: isBytes ? body.length + 4 : body.length,
      data: undefined,
    };
    this.#begin({
      id: "",
      parameters: undefined,
      inputs: [input],
      outputs: [],
      isBinaryDefault: true,
    });
    if (isBytes) {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(body.length);
      this.#scatter(length);
    }
    this.#scatter(body);
  }

  #answer(pending: PendingRequest, answer: InferenceResponse): void {
    const response = this.#response;
    if (response.destroyed) {
      answer.release();
      return;
    }
    try {
      pending.storeShared(answer);
      const { headers, pieces, isBorrowed } = encodeAnswer(
        answer,
        this.#json as InferJson,
        pending,
      );
      if (isBorrowed) response.once("close", () => answer.release());
      sendBody(this.#request, response, headers, pieces);
      if (!isBorrowed) answer.release();
    } catch (error) {
      answer.release();
      this.#fail(error);
    }
  }
}

/** The shape of a raw body: what the model says, with at most one size worked out. */
function rawShape(shape: readonly number[], datatype: string, body: Buffer): number[] {
  const elementBytes = isDatatype(datatype) ? datatypeBytes[datatype] : 1;
  const known = shape.reduce(
    (product, size) => (size === -1 ? product : product * size),
    elementBytes,
  );
  const free = shape.filter((size) => size === -1).length;
  if (free > 1) {
    throw new ServeError(
      "INVALID_ARG",
      "The shape of the raw input can not be deduced because there are more than one " +
        "variable-sized dimension",
    );
  }
  return shape.map((size) => (size === -1 ? Math.floor(body.length / known) : size));
}

/** Binary outputs up to this size are copied, larger ones are sent from the pooled buffer. */
const copyBytes = 64 * 1024;

function encodeAnswer(answer: InferenceResponse, json: InferJson, pending: PendingRequest) {
  const binary: Uint8Array[] = [];
  let isBorrowed = false;
  const outputs = answer.outputs.map((output) => {
    if (pending.isShared(output)) return outputText(output, "");
    const asked = json.outputs.find(({ name }) => name === output.name);
    if (!(asked?.isBinary ?? json.isBinaryDefault)) {
      return outputText(output, `,"data":${jsonOfOutput(output)}`);
    }
    const { bytes } = output;
    if (bytes.length > copyBytes) isBorrowed = true;
    binary.push(bytes.length > copyBytes ? bytes : Buffer.from(bytes));
    return outputText(output, `,"parameters":{"binary_data_size":${bytes.length}}`);
  });
  const id = answer.id === "" ? "" : `"id":${JSON.stringify(answer.id)},`;
  const head =
    `{${id}"model_name":${JSON.stringify(answer.model)},` +
    `"model_version":${JSON.stringify(answer.version)},"outputs":[${outputs.join(",")}]}`;
  if (binary.length === 0) {
    return { headers: { "content-type": "application/json" }, pieces: [head], isBorrowed };
  }
  const headBytes = Buffer.from(head);
  const headers = {
    "content-type": "application/octet-stream",
    "inference-header-content-length": String(headBytes.length),
  };
  const isSmall = !isBorrowed;
  const pieces = isSmall ? [Buffer.concat([headBytes, ...binary])] : [headBytes, ...binary];
  return { headers, pieces, isBorrowed };
}

function outputText({ name, datatype, shape }: OutputTensor, rest: string): string {
  return `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(",")}]${rest}}`;
}
