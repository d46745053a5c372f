import { describe, expect, test } from "vitest";
import { Allowance } from "../../../../src/serve/http2/allowance.ts";
import { encodeHeaders } from "../../../../src/serve/http2/hpack-encoder.ts";
import { errorCode, flag, frameType } from "../../../../src/serve/http2/protocol.ts";
import { client, Peer, rawFrame, requestBlock, soon } from "../../../support/serve/http2.ts";

const calm = errorCode.ENHANCE_YOUR_CALM;
const MiB = 1024 * 1024;
const ok = encodeHeaders([[":status", "200"]]);

/** Bytes on the heap and beside it that `run` leaves. */
async function growth(run: () => Promise<void>): Promise<number> {
  const sum = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = sum();
  await run();
  return sum() - before;
}

test("an allowance is spent at once or over time", () => {
  const allowance = new Allowance(10, 2);
  const taken = () => {
    let count = 0;
    while (allowance.take()) count++;
    return count;
  };
  expect(taken()).toBe(10);
  allowance.tick();
  expect(taken()).toBe(2);
  for (let tick = 0; tick < 100; tick++) allowance.tick();
  expect(taken()).toBe(10);
});

describe("resets", () => {
  const openAndReset = (id: number) => Buffer.concat([client.headers(id), client.reset(id)]);

  test("ten thousand at once are allowed, a flood is not", async () => {
    const peer = Peer.begun();
    let id = 1;
    for (let count = 0; count < 10_000; count++, id += 2) peer.send(openAndReset(id));
    expect(await peer.goAway()).toBeUndefined();
    expect(peer.received).toHaveLength(10_000);
    expect(peer.received.every(({ closedCount }) => closedCount === 1)).toBe(true);
    peer.connection.checkTime();
    for (let count = 0; count < 1000; count++, id += 2) peer.send(openAndReset(id));
    expect(await peer.goAway()).toBeUndefined();
    peer.send(openAndReset(id));
    expect(await peer.goAway()).toBe(calm);
  });

  test("that the server is made to send count as well", async () => {
    const peer = Peer.begun();
    for (let id = 1; id < 2 * 10_000; id += 2) {
      peer.send(client.headers(id), client.window(id, 0));
    }
    expect(await peer.goAway()).toBeUndefined();
    peer.send(client.headers(30_001), client.window(30_001, 0));
    expect(await peer.goAway()).toBe(calm);
  });

  test("malformed requests count as well", async () => {
    const peer = Peer.begun();
    for (let id = 1; id < 2 * 10_002; id += 2) peer.send(client.headers(id, Buffer.from([0x82])));
    expect(await peer.goAway()).toBe(calm);
  });
});

describe("frames that say nothing", () => {
  test.each([
    ["empty DATA", client.data(1, Buffer.alloc(0))],
    ["padding alone", client.paddedData(1, Buffer.alloc(0), 3)],
    ["PRIORITY", rawFrame(2, 0, 1, Buffer.from([0, 0, 0, 0, 1]))],
    ["unknown frames", rawFrame(0x77, 0, 1)],
    ["acknowledgements", rawFrame(4, flag.ACK, 0)],
    ["pongs", rawFrame(6, flag.ACK, 0, Buffer.alloc(8))],
  ])("%s", async (_, frame) => {
    const peer = Peer.begun();
    peer.send(client.headers(1));
    for (let count = 0; count < 9990; count++) peer.send(frame);
    expect(await peer.goAway()).toBeUndefined();
    for (let count = 0; count < 20; count++) peer.send(frame);
    expect(await peer.goAway()).toBe(calm);
    expect(peer.received[0].closedCount).toBe(1);
  });

  test.each([
    ["PING", client.ping()],
    ["SETTINGS", client.settings([4, 70_000])],
  ])("%s whose acknowledgements nobody reads", async (_, frame) => {
    const peer = Peer.begun();
    await peer.frames();
    peer.socket.isStalled = true;
    let count = 0;
    for (; count < 5000 && !peer.socket.writableEnded; count++) {
      peer.send(frame);
      if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(count).toBeLessThan(1100);
    peer.socket.release();
    expect(await peer.goAway()).toBe(calm);
  });

  test("pings that are read may be many", async () => {
    const peer = Peer.begun();
    for (let count = 0; count < 5000; count++) {
      peer.send(client.ping());
      if (count % 500 === 0) await peer.frames();
    }
    expect(await peer.goAway()).toBeUndefined();
  });
});

describe("headers", () => {
  test("CONTINUATION without an end, in many frames or large ones", async () => {
    const many = Peer.begun();
    many.send(rawFrame(1, 0, 1, requestBlock()));
    let count = 0;
    for (; count < 1000 && !many.socket.writableEnded; count++) many.send(rawFrame(9, 0, 1));
    expect(count).toBeLessThan(70);
    expect(await many.goAway()).toBe(calm);

    const large = Peer.begun();
    large.send(rawFrame(1, 0, 1, requestBlock()));
    for (count = 0; count < 1000 && !large.socket.writableEnded; count++) {
      large.send(rawFrame(9, 0, 1, Buffer.alloc(16_384)));
    }
    expect(count).toBeLessThan(20);
    expect(await large.goAway()).toBe(calm);
  });

  test("beyond 64 KiB are answered with 431, and the table is as it should be", async () => {
    const keep = (name: string, value: string) =>
      Buffer.concat([
        Buffer.from([0x40, name.length]),
        Buffer.from(name),
        Buffer.from([value.length]),
        Buffer.from(value),
      ]);
    const long = encodeHeaders([["x-long", "v".repeat(70_000)]]);
    const block = Buffer.concat([requestBlock(), long, keep("x-kept", "here")]);
    for (const pieces of [1, 5]) {
      const peer = Peer.begun();
      const size = Math.ceil(block.length / pieces);
      for (let at = 0; at < block.length; at += size) {
        const isLast = at + size >= block.length;
        const type = at === 0 ? frameType.HEADERS : frameType.CONTINUATION;
        peer.send(rawFrame(type, isLast ? flag.END_HEADERS : 0, 1, block.subarray(at, at + size)));
      }
      peer.send(client.data(1, Buffer.from("x")));
      const answer = (await peer.news()).find(({ type }) => type === frameType.HEADERS);
      expect(answer?.payload.toString("latin1")).toContain("431");
      peer.send(client.headers(3, Buffer.concat([requestBlock(), Buffer.from([0xbe])]), true));
      expect(peer.received).toHaveLength(1);
      expect(peer.received[0].stream.headers["x-kept"]).toBe("here");
      expect(await peer.goAway()).toBeUndefined();
    }
  });

  test("a block that stands for gigabytes", async () => {
    const entry = Buffer.concat([
      Buffer.from([0x40, 1, 0x61, 0x7f, ...[0xa1, 0x1e]]),
      Buffer.alloc(4000, 0x62),
    ]);
    const peer = Peer.begun();
    peer.send(client.headers(1, Buffer.concat([requestBlock(), entry]), true));
    expect(peer.received[0].stream.headers["a"]).toHaveLength(4000);
    const bytes = await growth(async () => {
      peer.send(client.headers(3, Buffer.alloc(MiB - 1, 0xbe), true));
    });
    expect(bytes).toBeLessThan(64 * MiB);
    const answer = (await peer.frames()).findLast(({ type }) => type === frameType.HEADERS);
    expect(answer?.payload.toString("latin1")).toContain("431");
  });
});

test("more than 1000 streams at once", async () => {
  const peer = Peer.begun();
  for (let at = 0; at < 1010; at++) peer.send(client.headers(2 * at + 1));
  expect(peer.received).toHaveLength(1000);
  const resets = await peer.resets();
  expect(resets.size).toBe(10);
  expect(new Set(resets.values())).toEqual(new Set([errorCode.REFUSED_STREAM]));
  peer.received[0].stream.respond(ok, true);
  peer.send(client.headers(5001));
  expect(peer.received).toHaveLength(1001);
});

test("SETTINGS with a hundred thousand windows, and a thousand streams", async () => {
  const peer = Peer.begun();
  for (let at = 0; at < 1000; at++) peer.send(client.headers(2 * at + 1));
  const payload = Buffer.alloc(6 * 170_000);
  for (let at = 0; at < 170_000; at++) {
    payload.writeUInt16BE(4, 6 * at);
    payload.writeUInt32BE(at, 6 * at + 2);
  }
  const settings = rawFrame(frameType.SETTINGS, 0, 0, payload);
  const started = process.cpuUsage();
  peer.send(settings);
  expect(process.cpuUsage(started).user).toBeLessThan(500_000);
  expect(peer.received[0].stream.sendWindow).toBe(169_999);
});

describe("a client that reads nothing", () => {
  test("of answers with data: they wait in a thousand streams at most", async () => {
    const peer = Peer.begun([4, 2 ** 31 - 1]);
    peer.send(client.window(0, 2 ** 30));
    await peer.frames();
    peer.socket.isStalled = true;
    const answer = Buffer.alloc(60_000, 1);
    let sent = 0;
    peer.onRequest = (received) => {
      received.stream.open(received);
      received.stream.respond(ok);
      received.stream.write([answer], () => sent++);
      received.stream.finish(encodeHeaders([["grpc-status", "0"]]));
    };
    let id = 1;
    for (; id < 10_000; id += 2) {
      peer.send(client.headers(id, requestBlock(), true));
      if (id % 20 === 1) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(peer.connection.pendingBytes).toBeLessThan(5 * MiB);
    expect(peer.received.length).toBeLessThan(1100);
    expect(new Set((await peer.resets()).values()).size).toBe(0);
    peer.socket.release();
    await soon(() => sent).toBe(peer.received.length);
    expect(peer.socket.isPaused()).toBe(false);
    expect(peer.received.every(({ closedCount }) => closedCount === 1)).toBe(true);
  });

  test("of answers without data: it is not read itself", async () => {
    const peer = Peer.begun();
    peer.socket.isStalled = true;
    peer.onRequest = ({ stream }) =>
      stream.respond(
        encodeHeaders([
          [":status", "200"],
          ["x", "v".repeat(2000)],
        ]),
        true,
      );
    let id = 1;
    for (; id < 100_000 && !peer.socket.isPaused(); id += 2) {
      peer.send(client.headers(id, requestBlock(), true));
      if (id % 20 === 1) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(peer.connection.pendingBytes).toBeLessThan(10 * MiB);
    expect(id).toBeLessThan(20_000);
    // After 300 s it is given up.
    for (let tick = 0; tick < 310; tick++) peer.connection.checkTime();
    expect(peer.socket.destroyed).toBe(true);
  });
});

test("many requests in one piece, with long answers", async () => {
  const peer = Peer.begun();
  peer.socket.isStalled = true;
  const long = encodeHeaders([
    [":status", "200"],
    ["x", "v".repeat(8000)],
  ]);
  peer.onRequest = ({ stream }) => stream.respond(long, true);
  const requests = Array.from({ length: 13_000 }, (_, at) =>
    client.headers(2 * at + 1, requestBlock(), true),
  );
  peer.send(...requests);
  expect(peer.received.length).toBeLessThan(4300);
  peer.socket.release();
  expect(await peer.goAway()).toBe(calm);
});

test("bodies that come byte by byte are not held as objects", async () => {
  const peer = Peer.begun();
  peer.onRequest = ({ stream }) => stream.pause();
  peer.send(client.headers(1));
  const frames = Buffer.concat(Array(5000).fill(client.data(1, Buffer.from([7]))));
  const bytes = await growth(async () => {
    for (let count = 0; count < 40; count++) peer.connection.push(frames);
  });
  expect(peer.connection.pendingBytes).toBeLessThan(1000);
  expect(bytes).toBeLessThan(8 * MiB);
});

test("a client that never speaks", () => {
  const peer = new Peer();
  for (let tick = 0; tick < 20; tick++) peer.connection.checkTime();
  expect(peer.socket.destroyed).toBe(false);
  peer.connection.checkTime();
  expect(peer.socket.destroyed).toBe(true);
});
