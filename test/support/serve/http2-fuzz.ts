import { Random } from "../../../src/base/index.ts";
import type { Field } from "../../../src/serve/http2/hpack-decoder.ts";
import { encodeHeaders } from "../../../src/serve/http2/hpack-encoder.ts";
import { errorCode, preface } from "../../../src/serve/http2/protocol.ts";
import { client, Peer, type Received, rawFrame, requestBlock, word } from "./http2.ts";

const headers = encodeHeaders([[":status", "200"]]);
const trailers = encodeHeaders([["grpc-status", "0"]]);

/** Some bytes changed, left out, doubled, or put in. */
export function mutateBytes(original: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = random.below(bytes.length + 1);
    const size = 1 + random.below(8);
    const kind = random.below(4);
    if (kind === 0 && at < bytes.length) bytes[at] = random.below(256);
    else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
    else if (kind === 2)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - size))]);
    else
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.alloc(size, random.below(256)),
        bytes.subarray(at),
      ]);
  }
  return bytes;
}

/** A frame that could be one of a client's, on one of the first streams. */
function someFrame(random: Random, lastId: number, fields: readonly Field[], body: Buffer): Buffer {
  const id = 1 + 2 * random.below((lastId + 1) / 2);
  const start = random.below(body.length);
  const length = random.below(random.below(4) === 0 ? 5000 : 60);
  const bytes = random.below(2) === 0 ? body : body.subarray(start, start + length);
  const ends = random.below(4) === 0;
  const block = requestBlock(...fields);
  switch (random.below(14)) {
    case 0:
    case 1:
      return client.headers(lastId, block, ends);
    case 2: {
      const cut = random.below(block.length);
      return Buffer.concat([
        rawFrame(1, ends ? 1 : 0, lastId, block.subarray(0, cut)),
        rawFrame(9, 4, lastId, block.subarray(cut)),
      ]);
    }
    case 3:
    case 4:
      return client.data(id, bytes, ends);
    case 5:
      return client.paddedData(id, bytes, random.below(256), ends);
    case 6:
      return client.reset(id);
    case 7:
      return client.settings([
        1 + random.below(6),
        random.below(5) === 0 ? random.uint32() : random.below(70_000),
      ]);
    case 8:
      return client.ping();
    case 9:
      return client.window(random.below(2) === 0 ? 0 : id, random.below(50_000));
    case 10:
      return rawFrame(2, 0, id, Buffer.concat([word(random.below(9)), Buffer.from([1])]));
    case 11:
      return client.headers(id, encodeHeaders([["x-trailer", "1"]]), true);
    case 12:
      return rawFrame(7, 0, 0, Buffer.alloc(8 + random.below(20)));
    default:
      return rawFrame(random.below(256), random.below(256), random.below(8), bytes);
  }
}

/** What a client may send, more or less: frames in a likely order, some of them broken. */
export function conversation(
  random: Random,
  fields: readonly Field[] = [],
  body: Buffer = Buffer.alloc(5000, 1),
): Buffer {
  const frames: Buffer[] = [client.settings([4, random.below(100_000)])];
  let lastId = 1;
  frames.push(client.headers(lastId, requestBlock(...fields)));
  for (let count = 2 + random.below(14); count > 0; count--) {
    if (random.below(3) === 0) lastId += 2;
    let frame: Buffer = someFrame(random, lastId, fields, body);
    if (random.below(8) === 0) frame = mutateBytes(frame, random);
    if (random.below(16) !== 0) frames.push(frame);
    if (random.below(16) === 0) frames.push(frame);
  }
  let bytes: Buffer = Buffer.concat(frames);
  if (random.below(6) === 0) bytes = mutateBytes(bytes, random);
  const start = random.below(50) === 0 ? mutateBytes(preface, random) : preface;
  return Buffer.concat([start, bytes]);
}

/** Serves a stream somehow, and counts what is to be called once. */
function serve(received: Received, random: Random, counters: { sent: number }[]): void {
  const { stream } = received;
  const respond = () => {
    stream.respond(headers);
    for (let count = random.below(4); count > 0; count--) {
      const counter = { sent: 0 };
      counters.push(counter);
      const piece = Buffer.alloc(random.below(random.below(3) === 0 ? 100_000 : 500));
      stream.write([piece.subarray(0, 10), piece.subarray(10)], () => counter.sent++);
    }
    if (random.below(10) !== 0) stream.finish(trailers);
  };
  const kind = random.below(8);
  if (kind === 0) stream.pause();
  if (kind !== 1) stream.open(received);
  if (kind === 2) respond();
  if (kind === 3) stream.reset();
  received.onData = () => {
    if (random.below(10) === 0) stream.pause();
    if (random.below(10) === 0) stream.resume();
    if (random.below(20) === 0) respond();
    if (random.below(30) === 0) stream.reset(errorCode.INTERNAL_ERROR);
  };
  received.onEnd = respond;
}

/**
 * Sends a conversation, in any pieces, to a connection of its own.
 * @throws Error for anything that is promised not to happen
 */
export async function fuzzConnection(seed: number): Promise<{ readonly isAlive: boolean }> {
  const random = new Random(seed);
  const peer = new Peer();
  const counters: { sent: number }[] = [];
  peer.onRequest = (received) => serve(received, random, counters);
  const bytes = conversation(random);
  if (random.below(3) === 0) peer.socket.isStalled = true;
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(random.below(2) === 0 ? 30 : 20_000);
    peer.send(bytes.subarray(at, end));
    at = end;
    if (random.below(10) === 0) await new Promise((resolve) => setImmediate(resolve));
    if (random.below(20) === 0) peer.connection.checkTime();
    if (random.below(200) === 0) peer.connection.endAfterStreams();
  }
  const isAlive = !peer.socket.writableEnded && !peer.socket.destroyed;
  for (const { stream } of peer.received) {
    if (random.below(2) === 0 && isAlive && !stream.isClosed) stream.resume();
  }
  const held = peer.received.reduce((sum, { stream }) => sum + stream.heldBytes, 0);
  if (held > bytes.length) throw new Error(`${held} bytes are held of ${bytes.length}`);
  if (random.below(2) === 0) peer.socket.release();
  await new Promise((resolve) => setImmediate(resolve));
  peer.socket.destroy();
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  for (const { stream, closedCount, isEnded } of peer.received) {
    if (!stream.isClosed) throw new Error(`stream ${stream.id} is open beyond the connection`);
    if (closedCount > 1) throw new Error(`stream ${stream.id}: closed ${closedCount} times`);
    if (isEnded && closedCount === 0) throw new Error(`stream ${stream.id}: closed was not told`);
  }
  for (const { sent } of counters) if (sent !== 1) throw new Error(`sent ${sent} times`);
  return { isAlive };
}
