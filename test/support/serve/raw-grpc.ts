import { connect, type Socket } from "node:net";
import type { Random } from "../../../src/base/index.ts";
import { type Field, HpackDecoder } from "../../../src/serve/http2/hpack-decoder.ts";
import { frameType } from "../../../src/serve/http2/protocol.ts";
import { client, readFrames, requestBlock } from "./http2.ts";

export interface RawAnswer {
  readonly fields: Map<string, string>;
  /** Messages without their prefixes. */
  readonly messages: Buffer[];
}

/** A gRPC client that decides itself where its bytes are cut. */
export class RawGrpc {
  readonly #socket: Socket;
  readonly #random: Random;
  readonly #decoder = new HpackDecoder(4096, 1 << 20);
  readonly #open = new Map<
    number,
    { fields: Field[]; data: Buffer[]; done: (a: RawAnswer) => void }
  >();
  #received: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #sending: Promise<void>;

  /** @param window of each stream for its answer */
  constructor(address: string, random: Random, window = 2 ** 30) {
    const [host, port] = address.split(":");
    this.#socket = connect({ host, port: Number(port), noDelay: true });
    this.#random = random;
    this.#socket.on("data", (bytes: Buffer) => this.#read(bytes));
    this.#sending = this.#write(Buffer.concat([client.preface, client.settings([4, window])]));
    void this.send(client.window(0, 1 << 30));
  }

  /** Sends bytes in random pieces, each of them a packet. */
  send(bytes: Buffer): Promise<void> {
    this.#sending = this.#sending.then(() => this.#write(bytes));
    return this.#sending;
  }

  /** One call. `body` are framed messages; it is cut into DATA frames of random lengths, some of them padded. */
  call(path: string, body: Buffer, more: readonly Field[] = []): Promise<RawAnswer> {
    const id = this.#nextId;
    this.#nextId += 2;
    const answer = new Promise<RawAnswer>((resolve) => {
      this.#open.set(id, { fields: [], data: [], done: resolve });
    });
    const block = requestBlock([":path", path], ["content-type", "application/grpc"], ...more);
    const frames = [client.headers(id, block)];
    for (let at = 0; at < body.length; ) {
      const end = Math.min(body.length, at + 1 + this.#random.below(3000));
      const piece = body.subarray(at, end);
      const isPadded = this.#random.below(4) === 0;
      const padding = this.#random.below(200);
      frames.push(isPadded ? client.paddedData(id, piece, padding) : client.data(id, piece));
      at = end;
    }
    frames.push(client.data(id, Buffer.alloc(0), true));
    void this.send(Buffer.concat(frames));
    return answer;
  }

  window(streamId: number, bytes: number): Buffer {
    return client.window(streamId, bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + this.#random.below(this.#random.below(3) === 0 ? 20 : 1500);
      this.#socket.write(bytes.subarray(at, end));
      at = end;
      // Others' pieces come between.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #read(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      if (this.#received.length < 9) return;
      const end = 9 + this.#received.readUIntBE(0, 3);
      if (this.#received.length < end) return;
      const [frame] = readFrames(this.#received.subarray(0, end));
      this.#received = this.#received.subarray(end);
      const open = this.#open.get(frame.streamId);
      if (frame.type === frameType.HEADERS) {
        open?.fields.push(...(this.#decoder.decode(frame.payload) ?? []));
      } else if (frame.type === frameType.DATA) open?.data.push(frame.payload);
      const isLast =
        frame.type === frameType.RST_STREAM ||
        (frame.type <= frameType.HEADERS && (frame.flags & 1) !== 0);
      if (open === undefined || !isLast) continue;
      this.#open.delete(frame.streamId);
      open.done({ fields: new Map(open.fields), messages: messagesOf(Buffer.concat(open.data)) });
    }
  }
}

function messagesOf(data: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 5 <= data.length; ) {
    const end = at + 5 + data.readUInt32BE(at + 1);
    messages.push(data.subarray(at + 5, end));
    at = end;
  }
  return messages;
}
