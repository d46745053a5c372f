import {
  datatypeBytes,
  type InferenceCore,
  type InferenceResponse,
  type InputSlot,
  isDatatype,
  ServeError,
} from "../core/index.ts";
import type { BodySink, Exchange } from "../http1/index.ts";
import type { Client } from "../wire/client.ts";
import { GatheredBytes } from "../wire/gathered-bytes.ts";
import { PendingRequest } from "../wire/pending-request.ts";
import { readBody, sendBody } from "./body.ts";
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
  exchange: Exchange,
  fail: (error: unknown) => void,
): void {
  const body = new InferBody(target, exchange, fail);
  exchange.onGone = () => body.cancel();
  readBody(exchange, target.maxBytes, body);
}

/** The JSON of a connection's last request. Most clients send the same one again, and only other tensors. */
interface LastJson {
  readonly bytes: Buffer;
  readonly json: InferJson;
}

/** Longer JSON is not kept: it has the tensors in it. */
const maxLastBytes = 4096;

/**
 * The body of one inference request: JSON, then the binary tensors that it announces, which go straight
 * from the socket's chunks into the core's buffers.
 */
class InferBody implements BodySink {
  readonly #target: InferTarget;
  readonly #exchange: Exchange;
  readonly #fail: (error: unknown) => void;
  /** Bytes of JSON in front; undefined if the body is JSON alone. */
  readonly #jsonBytes: number | undefined;

  readonly #gathered = new GatheredBytes();
  #json: InferJson | undefined;
  #pending: PendingRequest | undefined;
  #isRaw = false;

  /** The binary tensors that are still to come, and how much of the first is there. */
  #open: { readonly slot: InputSlot; readonly size: number }[] = [];
  #target0: Uint8Array | undefined;
  #filled = 0;

  constructor(target: InferTarget, exchange: Exchange, fail: (error: unknown) => void) {
    this.#target = target;
    this.#exchange = exchange;
    this.#fail = fail;
    const header = exchange.head.headers[headerLengthName];
    if (header === undefined) return;
    this.#jsonBytes = /^\d{1,15}$/.test(header) ? Number(header) : -1;
    this.#isRaw = this.#jsonBytes === 0;
  }

  push(chunk: Buffer): void {
    if (this.#jsonBytes === -1) throw badJson(`'${headerLengthName}' must be an integer`);
    let rest = chunk;
    if (this.#json === undefined) {
      const gathered = this.#gathered;
      const isShort = gathered.length + chunk.length < (this.#jsonBytes ?? 0);
      if (this.#jsonBytes === undefined || this.#isRaw || isShort) {
        gathered.push(chunk);
        return;
      }
      let bytes = chunk;
      if (gathered.length > 0) {
        gathered.push(chunk);
        bytes = gathered.take();
      }
      this.#begin(this.#parse(bytes, this.#jsonBytes));
      rest = bytes.subarray(this.#jsonBytes);
    }
    this.#scatter(rest);
  }

  finish(): void {
    if (this.#isRaw) this.#beginRaw(this.#gathered.take());
    else if (this.#json === undefined) {
      if (this.#jsonBytes !== undefined) {
        throw badJson(
          `the request has ${this.#gathered.length} bytes, but '${headerLengthName}' says ${this.#jsonBytes}`,
        );
      }
      this.#begin(parseInferJson(this.#gathered.take().toString("utf8")));
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

  #parse(bytes: Buffer, jsonBytes: number): InferJson {
    const { connection } = this.#exchange;
    const last = connection.memory as LastJson | undefined;
    if (
      last?.bytes.length === jsonBytes &&
      last.bytes.compare(bytes, 0, jsonBytes, 0, jsonBytes) === 0
    ) {
      return last.json;
    }
    const json = parseInferJson(bytes.toString("utf8", 0, jsonBytes));
    if (jsonBytes <= maxLastBytes) {
      const known: LastJson = { bytes: Buffer.from(bytes.subarray(0, jsonBytes)), json };
      connection.memory = known;
    }
    return json;
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
    const exchange = this.#exchange;
    if (exchange.isOver) {
      answer.release();
      return;
    }
    let encoded: EncodedAnswer;
    try {
      pending.storeShared(answer);
      encoded = encodeAnswer(answer, this.#json as InferJson, pending);
    } catch (error) {
      answer.release();
      this.#fail(error);
      return;
    }
    sendBody(exchange, encoded.headers, encoded.text, encoded.tensors, () => answer.release());
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

/** An answer as `Exchange.reply` takes it. */
interface EncodedAnswer {
  readonly headers: string;
  readonly text: string;
  readonly tensors: readonly Uint8Array[];
}

function encodeAnswer(
  answer: InferenceResponse,
  json: InferJson,
  pending: PendingRequest,
): EncodedAnswer {
  const tensors: Uint8Array[] = [];
  const { id, model, version, outputs } = answer;
  let text = id === "" ? "{" : `{"id":${JSON.stringify(id)},`;
  text += `"model_name":${JSON.stringify(model)},"model_version":"${version}","outputs":[`;
  for (let at = 0; at < outputs.length; at++) {
    const output = outputs[at];
    const { name, datatype, shape, bytes } = output;
    if (at > 0) text += ",";
    text += `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(",")}]`;
    if (pending.isShared(output)) {
      text += "}";
    } else if (isBinary(name, json)) {
      tensors.push(bytes);
      text += `,"parameters":{"binary_data_size":${bytes.length}}}`;
    } else text += `,"data":${jsonOfOutput(output)}}`;
  }
  text += "]}";
  if (tensors.length === 0) return { headers: jsonType, text, tensors };
  const headers =
    "Content-Type: application/octet-stream\r\n" +
    `Inference-Header-Content-Length: ${Buffer.byteLength(text)}\r\n`;
  return { headers, text, tensors };
}

const jsonType = "Content-Type: application/json\r\n";

function isBinary(name: string, { outputs, isBinaryDefault }: InferJson): boolean {
  if (outputs.length === 0) return isBinaryDefault;
  return outputs.find((output) => output.name === name)?.isBinary ?? isBinaryDefault;
}
