import { GatheredBytes } from "../wire/gathered-bytes.ts";
import { withoutPadding } from "./frame-reader.ts";
import { type Field, HpackDecoder } from "./hpack-decoder.ts";
import { ConnectionError, errorCode, flag } from "./protocol.ts";
import { type Headers, requestHeaders } from "./request-headers.ts";

export const headerTableBytes = 4096;
export const maxHeaderBytes = 64 * 1024;
/** Of a block in several frames: longer than any that may be, so that one too long is told so. */
const maxBlockBytes = 4 * maxHeaderBytes;
const maxBlockFrames = 64;

/** A block of headers that is complete. */
export interface HeaderBlock {
  readonly streamId: number;
  readonly endsStream: boolean;
  /** A priority that makes no sense. */
  readonly dependsOnItself: boolean;
  /** A view for the time of the call. */
  readonly bytes: Buffer;
}

interface OpenBlock extends Omit<HeaderBlock, "bytes"> {
  readonly bytes: GatheredBytes;
  frames: number;
}

/** Puts the blocks of headers of one connection together, and says what they mean. */
export class HeaderBlocks {
  readonly #decoder = new HpackDecoder(headerTableBytes, maxHeaderBytes);
  #open: OpenBlock | undefined;
  /** The last request's block, and what it means as long as the table stays as it is. */
  #last: Buffer | undefined;
  #lastHeaders: Headers | undefined;

  /** Whether only CONTINUATION may come. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** HEADERS. Gives the block if this is all of it. @throws ConnectionError */
  begin(flags: number, streamId: number, payload: Buffer): HeaderBlock | undefined {
    let bytes = withoutPadding(flags, payload);
    let dependsOnItself = false;
    if ((flags & flag.PRIORITY) !== 0) {
      if (bytes.length < 5) {
        throw new ConnectionError(errorCode.FRAME_SIZE_ERROR, "HEADERS without their priority");
      }
      dependsOnItself = (bytes.readUInt32BE(0) & 0x7fffffff) === streamId;
      bytes = bytes.subarray(5);
    }
    const endsStream = (flags & flag.END_STREAM) !== 0;
    const block = { streamId, endsStream, dependsOnItself, bytes };
    if ((flags & flag.END_HEADERS) !== 0) return block;
    this.#open = { ...block, bytes: new GatheredBytes(), frames: 0 };
    this.#add(this.#open, bytes);
    return undefined;
  }

  /** CONTINUATION, likewise. @throws ConnectionError */
  goOn(flags: number, streamId: number, payload: Buffer): HeaderBlock | undefined {
    const open = this.#open;
    if (open === undefined || open.streamId !== streamId) {
      throw new ConnectionError(errorCode.PROTOCOL_ERROR, "CONTINUATION of no headers");
    }
    this.#add(open, payload);
    if ((flags & flag.END_HEADERS) === 0) return undefined;
    this.#open = undefined;
    return { ...open, bytes: open.bytes.take() };
  }

  /**
   * A request's headers, or why they are none; undefined if they are too long.
   * @throws ConnectionError
   */
  request(block: Buffer): Headers | string | undefined {
    if (this.#last?.equals(block) === true) return this.#lastHeaders;
    const fields = this.fields(block);
    const headers = fields === undefined ? undefined : requestHeaders(fields);
    if (typeof headers === "string" || !this.#decoder.isUnchanged) return headers;
    this.#last = Buffer.from(block);
    this.#lastHeaders = headers;
    return headers;
  }

  /** A block's fields; undefined if they are too long. @throws ConnectionError */
  fields(block: Buffer): readonly Field[] | undefined {
    this.#last = undefined;
    return this.#decoder.decode(block);
  }

  #add(open: OpenBlock, piece: Buffer): void {
    open.bytes.push(piece);
    if (open.bytes.length > maxBlockBytes || ++open.frames > maxBlockFrames) {
      throw new ConnectionError(errorCode.ENHANCE_YOUR_CALM, "headers that do not end");
    }
  }
}
