import type { InferenceResponse, OutputTensor } from "../core/index.ts";
import { prefixBytes, writePrefix } from "./framing.ts";
import { varintBytes, writeVarint } from "./protobuf.ts";

/** Outputs up to this size are copied behind the header; larger ones are sent from the pooled buffer. */
const copyBytes = 64 * 1024;

/** A framed `ModelInferResponse`, in the pieces in which it is sent. */
export interface EncodedResponse {
  readonly pieces: readonly Uint8Array[];
  /** Whether a piece lies in the response's buffers, which must then be kept until it is sent. */
  readonly isBorrowed: boolean;
}

/** What goes around the response in a stream. */
export interface Envelope {
  /** As `ModelStreamInferResponse.infer_response`. */
  readonly isStream: boolean;
  /** The parameter `triton_final_response`. */
  readonly isFinal?: boolean;
}

const unary: Envelope = { isStream: false };

/** `parameters { key: "triton_final_response" value { bool_param: true } }`, field 4. */
const finalParameter = (() => {
  const key = Buffer.from("triton_final_response");
  const entry = Buffer.concat([Buffer.from([0x0a, key.length]), key, Buffer.from([0x12, 2, 8, 1])]);
  return Buffer.concat([Buffer.from([0x22, entry.length]), entry]);
})();

/**
 * Encodes a response with its prefix. Always raw contents, one for each output, in order; empty for
 * outputs that went to shared memory, without which C++ clients end.
 */
export function encodeInferResponse(
  response: InferenceResponse,
  isShared: (output: OutputTensor) => boolean,
  envelope: Envelope = unary,
): EncodedResponse {
  const { outputs } = response;
  const isFinal = envelope.isFinal === true;
  const raws = outputs.map((output) => (isShared(output) ? empty : output.bytes));
  let headBytes =
    stringBytes(response.model) + stringBytes(response.version) + stringBytes(response.id);
  if (isFinal) headBytes += finalParameter.length;
  const outputBytes = outputs.map(bytesOfOutput);
  for (const size of outputBytes) headBytes += 1 + varintBytes(size) + size;
  let messageBytes = headBytes;
  let ownBytes = headBytes;
  let isBorrowed = false;
  for (const { length } of raws) {
    const tag = 1 + varintBytes(length);
    messageBytes += tag + length;
    ownBytes += tag;
    if (length <= copyBytes) ownBytes += length;
    else isBorrowed = true;
  }
  const outer = envelope.isStream ? 1 + varintBytes(messageBytes) : 0;

  const own = Buffer.allocUnsafe(prefixBytes + outer + ownBytes);
  writePrefix(own, outer + messageBytes);
  let at = prefixBytes;
  if (envelope.isStream) {
    own[at++] = 0x12;
    at = writeVarint(own, at, messageBytes);
  }
  at = writeString(own, at, 0x0a, response.model);
  at = writeString(own, at, 0x12, response.version);
  at = writeString(own, at, 0x1a, response.id);
  if (isFinal) at += finalParameter.copy(own, at);
  for (let index = 0; index < outputs.length; index++) {
    own[at++] = 0x2a;
    at = writeVarint(own, at, outputBytes[index]);
    at = writeOutput(own, at, outputs[index]);
  }
  const pieces: Uint8Array[] = [];
  let pieceStart = 0;
  for (const raw of raws) {
    own[at++] = 0x32;
    at = writeVarint(own, at, raw.length);
    if (raw.length <= copyBytes) {
      own.set(raw, at);
      at += raw.length;
    } else {
      pieces.push(own.subarray(pieceStart, at), raw);
      pieceStart = at;
    }
  }
  if (pieceStart < at) pieces.push(pieceStart === 0 ? own : own.subarray(pieceStart, at));
  return { pieces, isBorrowed };
}

const empty = new Uint8Array();

function bytesOfOutput({ name, datatype, shape }: OutputTensor): number {
  const shapeBytes = shape.reduce((sum, size) => sum + varintBytes(size), 0);
  const packed = shape.length === 0 ? 0 : 1 + varintBytes(shapeBytes) + shapeBytes;
  return stringBytes(name) + stringBytes(datatype) + packed;
}

function writeOutput(into: Buffer, from: number, { name, datatype, shape }: OutputTensor): number {
  let at = writeString(into, from, 0x0a, name);
  at = writeString(into, at, 0x12, datatype);
  if (shape.length === 0) return at;
  into[at++] = 0x1a;
  at = writeVarint(
    into,
    at,
    shape.reduce((sum, size) => sum + varintBytes(size), 0),
  );
  for (const size of shape) at = writeVarint(into, at, size);
  return at;
}

/** Bytes of a string field of a number below 16; an empty one is left out. */
function stringBytes(text: string): number {
  if (text === "") return 0;
  const size = Buffer.byteLength(text);
  return 1 + varintBytes(size) + size;
}

function writeString(into: Buffer, from: number, tag: number, text: string): number {
  if (text === "") return from;
  into[from] = tag;
  const at = writeVarint(into, from + 1, Buffer.byteLength(text));
  return at + into.write(text, at);
}
