import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameReader } from "../../../../src/serve/http2/frame-reader.ts";
import {
  ConnectionError,
  errorCode,
  flag,
  frameType,
} from "../../../../src/serve/http2/protocol.ts";
import { client, Peer, rawFrame, requestBlock } from "../../../support/serve/http2.ts";

/** What a reader told, DATA in one piece. */
function eventsOf(pieces: readonly Buffer[], maxFrameBytes = 1 << 20): string[] {
  const events: string[] = [];
  let data: Buffer[] = [];
  const reader = new FrameReader(
    {
      frame: (type, flags, id, payload) => {
        events.push(`${type} ${flags} ${id} ${payload.toString("hex")}`);
      },
      dataBegan: (flags, id, length) => {
        events.push(`data ${flags} ${id} ${length}`);
        data = [];
      },
      data: (bytes) => {
        expect(bytes.length).toBeGreaterThan(0);
        data.push(Buffer.from(bytes));
      },
      dataEnded: (padding) => events.push(`${Buffer.concat(data).toString("hex")} +${padding}`),
    },
    maxFrameBytes,
  );
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    try {
      reader.push(bytes);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      events.push(`error ${error.code}`);
      return events;
    }
    // The memory is read into again.
    bytes.fill(0x5a);
  }
  return events;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...places].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let at = 0;
  for (const place of [...sorted, bytes.length]) {
    pieces.push(bytes.subarray(at, Math.min(place, bytes.length)));
    at = Math.min(place, bytes.length);
  }
  return pieces;
}

const payload = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const id = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const anyFrame = fc.oneof(
  fc.tuple(id, payload, fc.boolean()).map(([id, bytes, ends]) => client.data(id, bytes, ends)),
  fc
    .tuple(id, payload, fc.integer({ min: 0, max: 255 }), fc.boolean())
    .map(([id, bytes, padding, ends]) => client.paddedData(id, bytes, padding, ends)),
  fc
    .tuple(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0, max: 255 }), id, payload)
    .map(([type, flags, id, bytes]) => rawFrame(type, flags, id, bytes)),
);

test("the same bytes in any pieces are the same events", () => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { maxLength: 12 }),
      fc.array(fc.nat(600), { maxLength: 20 }),
      (frames, places) => {
        const bytes = Buffer.concat([client.preface, ...frames]);
        expect(eventsOf(cut(bytes, places))).toEqual(eventsOf([bytes]));
      },
    ),
    { numRuns: 300 },
  );
});

const conversation = Buffer.concat([
  client.preface,
  client.settings([4, 100_000], [0x9999, 1]),
  rawFrame(frameType.PRIORITY, 0, 3, Buffer.from([0, 0, 0, 0, 16])),
  rawFrame(
    frameType.HEADERS,
    flag.PADDED | flag.PRIORITY,
    1,
    Buffer.concat([
      Buffer.from([3, 0, 0, 0, 0, 1]),
      requestBlock().subarray(0, 4),
      Buffer.alloc(3),
    ]),
  ),
  rawFrame(frameType.CONTINUATION, 0, 1, requestBlock().subarray(4, 6)),
  rawFrame(frameType.CONTINUATION, 0, 1),
  rawFrame(frameType.CONTINUATION, flag.END_HEADERS, 1, requestBlock().subarray(6)),
  client.paddedData(1, Buffer.from("one"), 7),
  rawFrame(0x77, 0xff, 1, Buffer.from("unknown")),
  client.data(1, Buffer.alloc(0)),
  client.paddedData(1, Buffer.alloc(0), 0),
  client.headers(3, requestBlock(), true),
  client.ping(),
  client.data(1, Buffer.from("two")),
  client.window(1, 10),
  client.window(0, 10),
  client.headers(1, Buffer.alloc(0), true),
]);

test("a conversation that is cut at any place", async () => {
  for (let at = 0; at <= conversation.length; at++) {
    const peer = new Peer();
    peer.send(conversation.subarray(0, at));
    peer.send(conversation.subarray(at));
    expect(peer.received.map(({ body }) => body.toString())).toEqual(["onetwo", ""]);
    expect(peer.received.every(({ isEnded }) => isEnded)).toBe(true);
  }
  const peer = new Peer();
  for (const byte of conversation) peer.send(Buffer.from([byte]));
  expect(peer.received.map(({ body }) => body.toString())).toEqual(["onetwo", ""]);
  expect(peer.received[0].stream.headers).toMatchObject({ ":method": "POST", ":authority": "x" });
  expect(await peer.goAway()).toBeUndefined();
  const pong = (await peer.frames()).find(({ type }) => type === frameType.PING);
  expect(pong).toMatchObject({ flags: flag.ACK, payload: Buffer.from("12345678") });
});

test("a long frame in small pieces costs no more than its bytes", () => {
  const bytes = Buffer.concat([client.preface, rawFrame(0x55, 0, 1, Buffer.alloc(1 << 20, 7))]);
  const started = process.cpuUsage();
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 16) pieces.push(bytes.subarray(at, at + 16));
  expect(eventsOf(pieces)).toHaveLength(1);
  // Copying all that has come with each piece would be 30 GiB.
  expect(process.cpuUsage(started).user).toBeLessThan(2e6);
});

describe("refused at once", () => {
  test.each([
    ["a frame that is too long", rawFrame(1, 0, 1, Buffer.alloc(200)), errorCode.FRAME_SIZE_ERROR],
    ["DATA that is too long", client.data(1, Buffer.alloc(200)), errorCode.FRAME_SIZE_ERROR],
    ["padding without its length", rawFrame(0, flag.PADDED, 1), errorCode.FRAME_SIZE_ERROR],
    [
      "padding as long as the frame",
      rawFrame(0, flag.PADDED, 1, Buffer.from([3, 0, 0])),
      errorCode.PROTOCOL_ERROR,
    ],
  ])("%s", (_, frame, code) => {
    const bytes = Buffer.concat([client.preface, frame]);
    for (let at = 0; at <= bytes.length; at++) {
      expect(eventsOf(cut(bytes, [at]), 100).at(-1)).toBe(`error ${code}`);
    }
  });

  test("another protocol, at its first wrong byte", () => {
    expect(eventsOf([Buffer.from("G")])).toEqual([`error ${errorCode.PROTOCOL_ERROR}`]);
    expect(eventsOf([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n"), Buffer.from("x")])).toEqual([
      `error ${errorCode.PROTOCOL_ERROR}`,
    ]);
  });
});
