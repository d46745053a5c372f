import { type InferenceCore, type InputSlot, ServeError } from "../core/index.ts";
import type { Client } from "../wire/client.ts";
import { GatheredBytes } from "../wire/gathered-bytes.ts";
import { PendingRequest } from "../wire/pending-request.ts";
import { InferHeader } from "./infer-header.ts";
import { FieldReader, malformed, wireType } from "./protobuf.ts";
import { fillFromContents } from "./typed-contents.ts";

/** Field number of `raw_input_contents`. */
const rawField = 7;

/**
 * Decodes one `ModelInferRequest` while its bytes come in.
 *
 * Encoders write fields in ascending order, so everything about the request stands before the tensors.
 * When the first tensor begins, the core is asked for the device's buffers, and from then on the bytes
 * go from the socket's chunks into them, copied once. A message in another order is allowed too: then
 * tensors are put aside until the end (`#aside`).
 */
export class InferReader {
  readonly header = new InferHeader();
  readonly #core: InferenceCore;
  readonly #client: Client;
  #pending: PendingRequest | undefined;

  /** Bytes of a field that is not complete yet, and how many it takes to go on. */
  readonly #carry = new GatheredBytes();
  #needed = 0;

  /** The tensor that is being read: where it goes, and how much of it has come. */
  #target: Uint8Array | undefined;
  #filled = 0;
  #rawCount = 0;
  /** Bytes of the message that have not come yet. */
  #unread: number;
  /** Raw tensors that came before the header was complete. */
  #aside: Uint8Array[] | undefined;

  /** `messageBytes` is what the frame's prefix says; nothing inside may claim to be longer. */
  constructor(core: InferenceCore, client: Client, messageBytes: number) {
    this.#core = core;
    this.#client = client;
    this.#unread = messageBytes;
  }

  /** Takes the next bytes. @throws ServeError, GrpcError: the request is refused; call `cancel` */
  push(chunk: Buffer): void {
    let bytes = chunk;
    this.#unread -= chunk.length;
    if (this.#carry.length > 0) {
      this.#carry.push(chunk);
      if (this.#carry.length < this.#needed) return;
      bytes = this.#carry.take();
    }
    this.#read(bytes);
  }

  /**
   * The message is complete; so is the request, but for `submit`.
   * @throws ServeError, GrpcError: the request is refused; call `cancel`
   */
  finish(): PendingRequest {
    if (this.#carry.length > 0 || this.#target !== undefined) throw malformed("it is cut short");
    const pending = this.#pending ?? this.#begin();
    const aside = this.#aside;
    if (aside !== undefined) {
      for (let at = 0; at < aside.length; at++)
        this.#slot(at).open(aside[at].length).set(aside[at]);
    }
    if (this.#rawCount === 0) this.#fillTyped(pending);
    else this.#refuseMixed(pending);
    pending.complete();
    return pending;
  }

  /** Gives back what the request holds. */
  cancel(): void {
    this.#pending?.request.cancel();
    this.#pending = undefined;
    this.#target = undefined;
  }

  #read(bytes: Buffer): void {
    const reader = new FieldReader(bytes);
    while (reader.at < bytes.length) {
      if (this.#target !== undefined) {
        this.#copy(reader);
        continue;
      }
      const start = reader.at;
      const size = fieldBytes(bytes, start);
      if (size !== undefined) reader.next();
      if (size !== undefined && reader.field === rawField) {
        reader.expect(wireType.LEN);
        const byteLength = reader.uint();
        if (byteLength > bytes.length - reader.at + this.#unread) {
          throw malformed("a raw tensor is longer than the message");
        }
        this.#startRaw(byteLength);
      } else if (size === undefined || size > bytes.length - start) {
        // The rest is kept until the whole field is there.
        this.#carry.push(bytes.subarray(start));
        this.#needed = size ?? bytes.length - start + 1;
        return;
      } else {
        if (reader.field < rawField && this.#rawCount > 0) this.#reopen();
        this.header.read(reader);
      }
    }
  }

  #startRaw(byteLength: number): void {
    const index = this.#rawCount++;
    if (this.#aside === undefined && this.header.inputs.length === 0) this.#aside = [];
    if (this.#aside !== undefined) {
      // Not yet held by the core, so bound here: the message's own size has been checked.
      this.#target = new Uint8Array(byteLength);
      this.#aside.push(this.#target);
    } else {
      this.#pending ??= this.#begin();
      this.#target = this.#slot(index).open(byteLength);
    }
    this.#filled = 0;
    if (byteLength === 0) this.#target = undefined;
  }

  #copy(reader: FieldReader): void {
    const target = this.#target as Uint8Array;
    const { bytes, at } = reader;
    const take = Math.min(target.length - this.#filled, bytes.length - at);
    // `set` copies within one call into the engine, whatever the size.
    target.set(
      at === 0 && take === bytes.length ? bytes : bytes.subarray(at, at + take),
      this.#filled,
    );
    this.#filled += take;
    reader.at += take;
    if (this.#filled === target.length) this.#target = undefined;
  }

  /** A field of the header after tensors: takes the tensors out of the core's hands again. */
  #reopen(): void {
    if (this.#aside !== undefined) return;
    const slots = this.#pending?.wireSlots ?? [];
    this.#aside = slots
      .slice(0, this.#rawCount)
      .map(({ bytes }) => (bytes === undefined ? new Uint8Array() : bytes.slice()));
    this.cancel();
  }

  #begin(): PendingRequest {
    this.#pending = new PendingRequest(this.#core, this.header, this.#client);
    return this.#pending;
  }

  #slot(index: number): InputSlot {
    const slots = this.#pending?.wireSlots ?? [];
    if (index < slots.length) return slots[index];
    throw new ServeError(
      "INVALID_ARG",
      `unexpected number of raw_input_contents for model '${this.header.model}': ` +
        `${index + 1} or more for ${slots.length} inputs that are not in shared memory`,
    );
  }

  #fillTyped(pending: PendingRequest): void {
    for (const slot of pending.wireSlots) {
      const input = this.header.inputs.find(({ name }) => name === slot.name);
      if (input?.contents !== undefined) {
        fillFromContents(input.contents, slot, this.header.model);
      }
    }
  }

  #refuseMixed(pending: PendingRequest): void {
    const mixed = this.header.inputs.find(
      ({ contents }) => contents !== undefined && contents.at < contents.end,
    );
    if (mixed === undefined) return;
    throw new ServeError(
      "INVALID_ARG",
      "contents field must not be specified when using raw_input_contents for " +
        `'${mixed.name}' for model '${pending.request.model}'`,
    );
  }
}

/**
 * Bytes of the field that begins at `start`, tag and length included; undefined if too few are there to
 * say so. For a length-delimited field the value may lie beyond what is there.
 */
function fieldBytes(bytes: Buffer, start: number): number | undefined {
  const tagEnd = varintEnd(bytes, start);
  if (tagEnd === undefined) return undefined;
  const wire = bytes[start] & 7;
  if (wire === wireType.I32) return tagEnd - start + 4;
  if (wire === wireType.I64) return tagEnd - start + 8;
  const valueEnd = varintEnd(bytes, tagEnd);
  if (valueEnd === undefined) return undefined;
  if (wire !== wireType.LEN) return valueEnd - start;
  return valueEnd - start + new FieldReader(bytes, tagEnd, valueEnd).uint();
}

function varintEnd(bytes: Buffer, start: number): number | undefined {
  const last = Math.min(bytes.length, start + 10);
  for (let at = start; at < last; at++) if (bytes[at] < 0x80) return at + 1;
  if (last === start + 10) throw malformed("a number of more than 10 bytes");
  return undefined;
}
