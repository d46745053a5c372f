import { describe, expect, test } from "vitest";
import { encodeHeaders } from "../../../../src/serve/http2/hpack-encoder.ts";
import { errorCode, flag, frameType } from "../../../../src/serve/http2/protocol.ts";
import type { Http2Stream } from "../../../../src/serve/http2/stream.ts";
import { client, Peer, requestBlock, soon } from "../../../support/serve/http2.ts";

const MiB = 1024 * 1024;
const KiB = 1024;
const headers = encodeHeaders([[":status", "200"]]);
const trailers = encodeHeaders([["grpc-status", "0"]]);
const INITIAL_WINDOW_SIZE = 4;

function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = at ^ (at >> 8) ^ (at >> 16);
  return bytes;
}

/** Answers, and counts how often `sent` is called. */
function answer(stream: Http2Stream, ...pieces: readonly Uint8Array[]): { sent: number } {
  const counter = { sent: 0 };
  stream.respond(headers);
  stream.write(pieces, () => {
    counter.sent++;
  });
  stream.finish(trailers);
  return counter;
}

/** A connection with so many requests on it, complete. */
function asked(count: number, window: number): Peer {
  const peer = Peer.begun([INITIAL_WINDOW_SIZE, window]);
  for (let at = 0; at < count; at++) peer.send(client.headers(2 * at + 1, requestBlock(), true));
  return peer;
}

async function endOf(peer: Peer, streamId: number): Promise<number> {
  const frames = await peer.frames();
  return frames.filter((frame) => frame.streamId === streamId && (frame.flags & 1) !== 0).length;
}

describe("windows of the client", () => {
  test("of one byte at a time", async () => {
    const peer = asked(1, 1);
    const body = pattern(40);
    const counter = answer(peer.received[0].stream, body.subarray(0, 13), body.subarray(13));
    for (let byte = 1; byte <= body.length; byte++) {
      expect((await peer.answer(1)).equals(body.subarray(0, byte))).toBe(true);
      expect(counter.sent).toBe(byte === body.length ? 1 : 0);
      if (byte < body.length) expect(await endOf(peer, 1)).toBe(0);
      peer.send(client.window(1, 1));
    }
    expect(await endOf(peer, 1)).toBe(1);
    expect(peer.received[0].closedCount).toBe(1);
    expect(await peer.goAway()).toBeUndefined();
  });

  test("of nothing, opened by SETTINGS", async () => {
    const peer = asked(2, 0);
    const body = pattern(100_000);
    const counters = peer.received.map(({ stream }) => answer(stream, body));
    expect(await peer.answer(1)).toHaveLength(0);
    expect(peer.received[0].stream.needsDrain).toBe(true);
    peer.send(client.window(0, MiB));
    expect(await peer.answer(1)).toHaveLength(0);
    peer.send(client.settings([INITIAL_WINDOW_SIZE, MiB]));
    expect((await peer.answer(1)).equals(body)).toBe(true);
    expect((await peer.answer(3)).equals(body)).toBe(true);
    expect(counters).toEqual([{ sent: 1 }, { sent: 1 }]);
  });

  test("of nothing: an answer without data needs none", async () => {
    const peer = asked(1, 0);
    const counter = answer(peer.received[0].stream, new Uint8Array());
    expect(await endOf(peer, 1)).toBe(1);
    expect(counter.sent).toBe(1);
  });

  test("of the connection, smaller than those of the streams", async () => {
    const peer = asked(3, MiB);
    const body = pattern(50_000);
    for (const { stream } of peer.received) answer(stream, body);
    const got = async () =>
      (await Promise.all([1, 3, 5].map((id) => peer.answer(id)))).map((b) => b.length);
    expect((await got()).reduce((a, b) => a + b)).toBe(65_535);
    for (let rest = 150_000 - 65_535; rest > 0; rest -= 1000) {
      peer.send(client.window(0, Math.min(1000, rest)));
    }
    expect(await got()).toEqual([50_000, 50_000, 50_000]);
    for (const id of [1, 3, 5]) expect((await peer.answer(id)).equals(body)).toBe(true);
    expect(peer.received.every(({ closedCount }) => closedCount === 1)).toBe(true);
  });

  test("lowered below what is under way", async () => {
    const peer = asked(1, 1000);
    const body = pattern(3000);
    answer(peer.received[0].stream, body);
    expect(await peer.answer(1)).toHaveLength(1000);
    peer.send(client.settings([INITIAL_WINDOW_SIZE, 100]));
    expect(peer.received[0].stream.sendWindow).toBe(-900);
    peer.send(client.window(1, 900));
    expect(await peer.answer(1)).toHaveLength(1000);
    peer.send(client.window(1, 1));
    expect(await peer.answer(1)).toHaveLength(1001);
    // A new stream has what the setting says.
    peer.send(client.headers(3, requestBlock(), true));
    answer(peer.received[1].stream, body);
    expect(await peer.answer(3)).toHaveLength(100);
    peer.send(client.settings([INITIAL_WINDOW_SIZE, 10_000]));
    expect((await peer.answer(1)).equals(body)).toBe(true);
    expect((await peer.answer(3)).equals(body)).toBe(true);
  });

  test("frames are no longer than the client allows", async () => {
    const peer = asked(1, MiB);
    peer.send(client.window(0, MiB));
    answer(peer.received[0].stream, pattern(100_000));
    peer.send(client.settings([5, 50_000]), client.headers(3, requestBlock(), true));
    answer(peer.received[1].stream, pattern(100_000));
    const longest = async (id: number) =>
      Math.max(
        ...(await peer.frames())
          .filter(({ type, streamId }) => type === frameType.DATA && streamId === id)
          .map(({ payload }) => payload.length),
      );
    expect(await longest(1)).toBe(16_384);
    expect(await longest(3)).toBe(50_000);
  });

  test("long headers of an answer are cut into frames", async () => {
    const peer = asked(1, MiB);
    const long = encodeHeaders([
      [":status", "200"],
      ["x", "v".repeat(40_000)],
    ]);
    peer.received[0].stream.respond(long, true);
    const frames = (await peer.frames()).filter(({ streamId }) => streamId === 1);
    expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
      [frameType.HEADERS, flag.END_STREAM],
      [frameType.CONTINUATION, 0],
      [frameType.CONTINUATION, flag.END_HEADERS],
    ]);
    // In front, once a connection: the table stays empty.
    const sent = Buffer.concat(frames.map(({ payload }) => payload));
    expect(sent.equals(Buffer.concat([Buffer.from([0x20]), long]))).toBe(true);
  });
});

describe("turns", () => {
  test("large answers of many streams come side by side, not one after the other", async () => {
    const peer = asked(8, 16 * MiB);
    const body = pattern(MiB / 2);
    const counters = peer.received.map(({ stream }) => answer(stream, body));
    // The client gives window in the measure in which it reads.
    const lengths = async () => {
      const frames = (await peer.frames()).filter(({ type }) => type === frameType.DATA);
      const sums = new Map<number, number>();
      for (const { streamId, payload } of frames) {
        sums.set(streamId, (sums.get(streamId) ?? 0) + payload.length);
      }
      return [...sums.values()];
    };
    let spread = 0;
    for (let given = 0; given < 4 * MiB; given += 64 * KiB) {
      peer.send(client.window(0, 64 * KiB));
      const now = await lengths();
      if (given > MiB / 2 && given < 3 * MiB) {
        expect(now).toHaveLength(8);
        spread = Math.max(spread, Math.max(...now) - Math.min(...now));
      }
    }
    // The first had the window of the beginning to itself.
    expect(spread).toBeLessThan(100 * KiB);
    for (const id of [1, 15]) expect((await peer.answer(id)).equals(body)).toBe(true);
    expect(counters.every(({ sent }) => sent === 1)).toBe(true);
  });

  test("a wide window does not fill the line: a small answer comes between large ones", async () => {
    const peer = asked(2, 2 ** 31 - 1);
    peer.send(client.window(0, 2 ** 30));
    peer.socket.isStalled = true;
    const body = pattern(20 * MiB);
    answer(peer.received[0].stream, body);
    await peer.frames();
    expect(peer.connection.pendingBytes).toBeLessThan(5 * MiB);
    answer(peer.received[1].stream, Buffer.from("small"));
    peer.socket.release();
    await soon(() => peer.received[0].closedCount).toBe(1);
    expect((await peer.answer(1)).equals(body)).toBe(true);
    const frames = (await peer.frames()).filter(({ type }) => type === frameType.DATA);
    const place = frames.findIndex(({ streamId }) => streamId === 3);
    expect(place).toBeLessThan(frames.length / 4);
  });
});

describe("`sent` is called once", () => {
  test("where the answer went", async () => {
    const peer = asked(1, MiB);
    const counter = answer(peer.received[0].stream, pattern(10), pattern(10_000));
    expect(counter.sent).toBe(0);
    await peer.frames();
    expect(counter.sent).toBe(1);
    expect(peer.received[0].closedCount).toBe(1);
  });

  test("where nothing was written", () => {
    const peer = asked(1, MiB);
    const counter = { sent: 0 };
    peer.received[0].stream.write([], () => counter.sent++);
    expect(counter.sent).toBe(1);
  });

  test("where the stream was closed before", () => {
    const peer = asked(1, MiB);
    peer.send(client.reset(1));
    const counter = answer(peer.received[0].stream, pattern(10));
    expect(counter.sent).toBe(1);
  });

  test.each([
    ["the client resets it", (peer: Peer) => peer.send(client.reset(1))],
    ["the server resets it", (peer: Peer) => peer.received[0].stream.reset()],
    ["the connection fails", (peer: Peer) => peer.send(client.window(0, 0))],
  ])("in the middle, where %s: not before what is on the line has gone", async (_, end) => {
    const peer = asked(1, 65_535);
    await peer.frames();
    peer.socket.isStalled = true;
    const memory = pattern(200_000);
    const before = Buffer.from(memory);
    const counter = answer(peer.received[0].stream, memory);
    await peer.frames();
    end(peer);
    expect(peer.received[0].closedCount).toBe(1);
    await peer.frames();
    // The line still needs the memory.
    expect(counter.sent).toBe(0);
    peer.socket.release();
    await soon(() => counter.sent).toBe(1);
    memory.fill(0);
    expect((await peer.answer(1)).equals(before.subarray(0, 65_535))).toBe(true);
    peer.socket.destroy();
    await peer.frames();
    expect(counter.sent).toBe(1);
  });

  test("in the turn of the event loop in which it was written", async () => {
    const peer = asked(1, 65_535);
    await peer.frames();
    const memory = pattern(200_000);
    const before = Buffer.from(memory);
    const counter = answer(peer.received[0].stream, memory);
    peer.send(client.reset(1));
    expect(counter.sent).toBe(0);
    await peer.frames();
    expect(counter.sent).toBe(1);
    expect((await peer.answer(1)).equals(before.subarray(0, 65_535))).toBe(true);
  });

  test.each([true, false])("where the connection is lost; stalled: %s", async (isStalled) => {
    const peer = asked(3, 100_000);
    await peer.frames();
    peer.socket.isStalled = isStalled;
    const counters = peer.received.map(({ stream }) => answer(stream, pattern(200_000)));
    if (isStalled) await peer.frames();
    peer.socket.destroy();
    await peer.frames();
    expect(counters).toEqual([{ sent: 1 }, { sent: 1 }, { sent: 1 }]);
    expect(peer.received.every(({ closedCount }) => closedCount === 1)).toBe(true);
  });

  test("where the window never opens: after 300 s, and others are served", async () => {
    const peer = asked(2, 0);
    const counter = answer(peer.received[0].stream, pattern(100));
    await peer.frames();
    for (let tick = 0; tick < 300; tick++) peer.connection.checkTime();
    expect(counter.sent).toBe(0);
    peer.connection.checkTime();
    await peer.frames();
    expect(counter.sent).toBe(1);
    expect(await peer.resets()).toEqual(new Map([[1, errorCode.CANCEL]]));
    expect(peer.received[0].closedCount).toBe(1);
    peer.send(client.settings([INITIAL_WINDOW_SIZE, 1000]));
    answer(peer.received[1].stream, pattern(100));
    expect((await peer.answer(3)).equals(pattern(100))).toBe(true);
    expect(await peer.goAway()).toBeUndefined();
  });

  test("a window that opens now and then is no stall", async () => {
    const peer = asked(1, 0);
    const counter = answer(peer.received[0].stream, pattern(3));
    await peer.frames();
    for (let round = 0; round < 3; round++) {
      for (let tick = 0; tick < 299; tick++) peer.connection.checkTime();
      expect(counter.sent).toBe(0);
      peer.send(client.window(1, 1));
      await peer.frames();
    }
    expect((await peer.answer(1)).equals(pattern(3))).toBe(true);
    expect(counter.sent).toBe(1);
  });

  test("a line on which nothing moves is given up after 300 s", async () => {
    const peer = asked(1, 65_535);
    await peer.frames();
    peer.socket.isStalled = true;
    const counter = answer(peer.received[0].stream, pattern(10_000));
    await peer.frames();
    for (let tick = 0; tick < 300; tick++) peer.connection.checkTime();
    expect(peer.socket.destroyed).toBe(false);
    for (let tick = 0; tick < 3; tick++) peer.connection.checkTime();
    expect(peer.socket.destroyed).toBe(true);
    await peer.frames();
    expect(counter.sent).toBe(1);
  });
});

describe("windows of the server", () => {
  const given = async (peer: Peer, streamId: number) =>
    (await peer.frames())
      .filter((frame) => frame.type === frameType.WINDOW_UPDATE && frame.streamId === streamId)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);

  test("come back as the body is taken, padding too", async () => {
    const peer = Peer.begun();
    const start = await given(peer, 0);
    expect(start).toBe(64 * MiB - 65_535);
    peer.send(client.headers(1));
    const piece = client.paddedData(1, Buffer.alloc(MiB - 256), 255);
    for (let count = 0; count < 200; count++) peer.connection.push(piece);
    expect(await peer.goAway()).toBeUndefined();
    expect(await given(peer, 1)).toBeGreaterThan(200 * MiB - 16 * MiB);
    expect((await given(peer, 0)) - start).toBeGreaterThan(200 * MiB - 64 * MiB);
    expect(peer.received[0].stream.unreturned).toBeLessThan(8 * MiB + 1);
  });

  test("also for data that nobody wants", async () => {
    const peer = Peer.begun();
    peer.send(client.headers(1));
    peer.received[0].stream.respond(headers, true);
    const piece = client.data(1, Buffer.alloc(MiB));
    for (let count = 0; count < 200; count++) peer.connection.push(piece);
    expect(await peer.goAway()).toBeUndefined();
    expect(await given(peer, 0)).toBeGreaterThan(150 * MiB);
  });

  test("not while the stream is paused; then all comes, in order, and the window after it", async () => {
    const peer = Peer.begun();
    peer.send(client.headers(1), client.data(1, Buffer.from("first,")));
    const [received] = peer.received;
    received.stream.pause();
    const start = await given(peer, 0);
    const body = pattern(12 * MiB);
    for (let at = 0; at < body.length; at += 100_000) {
      peer.send(client.data(1, body.subarray(at, at + 100_000)));
    }
    peer.send(client.data(1, Buffer.from("last"), true));
    expect(received.body.toString()).toBe("first,");
    expect(received.stream.heldBytes).toBe(body.length + 4);
    expect(await given(peer, 1)).toBe(0);
    expect(await given(peer, 0)).toBe(start);
    expect(received.isEnded).toBe(false);
    received.stream.resume();
    expect(received.isEnded).toBe(true);
    expect(received.stream.heldBytes).toBe(0);
    expect(
      received.body.equals(Buffer.concat([Buffer.from("first,"), body, Buffer.from("last")])),
    ).toBe(true);
  });

  test("a handler that pauses at each piece, and resumes within the call or later", async () => {
    const peer = Peer.begun();
    peer.onRequest = ({ stream }) => stream.pause();
    peer.send(client.headers(1));
    const [received] = peer.received;
    const body = pattern(MiB);
    for (let at = 0; at < body.length; at += 10_000) {
      peer.send(client.data(1, body.subarray(at, at + 10_000), at + 10_000 >= body.length));
    }
    let depth = 0;
    let deepest = 0;
    let calls = 0;
    received.onData = () => {
      deepest = Math.max(deepest, ++depth);
      received.stream.pause();
      if (calls++ % 2 === 0) received.stream.resume();
      else setImmediate(() => received.stream.resume());
      depth--;
    };
    received.stream.open(received);
    received.stream.resume();
    await soon(() => received.isEnded).toBe(true);
    expect(deepest).toBe(1);
    expect(calls).toBeGreaterThan(10);
    expect(received.body.equals(body)).toBe(true);
  });

  test("what a stream held goes back to the connection when it is gone", async () => {
    const peer = Peer.begun();
    peer.onRequest = ({ stream }) => stream.pause();
    for (let round = 0; round < 20; round++) {
      const id = 2 * round + 1;
      peer.send(client.headers(id));
      for (let count = 0; count < 15; count++) peer.send(client.data(id, Buffer.alloc(MiB)));
      peer.send(client.reset(id));
    }
    expect(await peer.goAway()).toBeUndefined();
  });
});

describe("the end", () => {
  test("streams that are open are served, new ones refused, then the socket ends", async () => {
    const peer = Peer.begun();
    peer.send(client.headers(1), client.headers(3, requestBlock(), true));
    peer.connection.announceEnd();
    peer.send(client.headers(5, requestBlock(), true));
    peer.connection.endAfterStreams();
    peer.send(client.headers(7));
    const goAways = (await peer.frames()).filter(({ type }) => type === frameType.GOAWAY);
    expect(
      goAways.map(({ payload }) => [payload.readUInt32BE(0), payload.readUInt32BE(4)]),
    ).toEqual([
      [2 ** 31 - 1, errorCode.NO_ERROR],
      [5, errorCode.NO_ERROR],
    ]);
    expect(await peer.resets()).toEqual(new Map([[7, errorCode.REFUSED_STREAM]]));
    peer.send(client.data(1, Buffer.from("more"), true));
    expect(peer.received[0].body.toString()).toBe("more");
    for (const { stream } of peer.received) {
      expect(peer.socket.writableEnded).toBe(false);
      answer(stream, pattern(100));
    }
    expect(peer.socket.writableEnded).toBe(true);
    for (const id of [1, 3, 5]) expect((await peer.answer(id)).equals(pattern(100))).toBe(true);
    for (let tick = 0; tick < 3; tick++) peer.connection.checkTime();
    expect(peer.socket.destroyed).toBe(true);
  });

  test("frames behind the end do not cut off what is on the line", async () => {
    const peer = Peer.begun();
    peer.send(client.headers(1));
    peer.connection.endAfterStreams();
    await peer.frames();
    peer.socket.isStalled = true;
    peer.received[0].onEnd = () => answer(peer.received[0].stream, pattern(50_000));
    // All in one piece: the answer ends the connection in the middle of it.
    peer.send(
      client.data(1, Buffer.from("x"), true),
      client.headers(3),
      client.ping(),
      client.window(0, 0),
    );
    await peer.frames();
    expect(peer.socket.errored).toBe(null);
    expect(peer.socket.destroyed).toBe(false);
    peer.socket.release();
    expect((await peer.answer(1)).equals(pattern(50_000))).toBe(true);
  });

  test("a failure names no stream above the one that GOAWAY has named", async () => {
    const peer = Peer.begun();
    peer.send(client.headers(1));
    peer.connection.endAfterStreams();
    peer.send(client.headers(9), client.window(0, 0));
    const goAways = (await peer.frames()).filter(({ type }) => type === frameType.GOAWAY);
    expect(goAways.map(({ payload }) => payload.readUInt32BE(0))).toEqual([1, 1]);
  });

  test.each(["ends its side", "breaks off"])(
    "a client that %s in the middle of DATA",
    async (way) => {
      const peer = Peer.begun();
      peer.send(client.headers(1), client.data(1, pattern(1000)).subarray(0, 300));
      if (way === "breaks off") peer.socket.destroy(new Error("ECONNRESET"));
      else peer.socket.push(null);
      peer.socket.resume();
      await soon(() => peer.received[0].closedCount).toBe(1);
      expect(peer.received[0].isEnded).toBe(false);
      // Whoever still answers does no harm.
      expect(answer(peer.received[0].stream, pattern(10)).sent).toBe(1);
      peer.received[0].stream.reset();
      peer.connection.endAfterStreams();
      peer.connection.announceEnd();
      peer.connection.checkTime();
      peer.send(client.ping());
    },
  );
});
