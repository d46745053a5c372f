import { describe, expect, test } from "vitest";
import { encodeHeaders } from "../../../../src/serve/http2/hpack-encoder.ts";
import { errorCode, flag, frameType } from "../../../../src/serve/http2/protocol.ts";
import { client, Peer, rawFrame, requestBlock, word } from "../../../support/serve/http2.ts";

const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR } =
  errorCode;
const { END_HEADERS, PRIORITY, PADDED, ACK } = flag;
const bytes = (...values: number[]) => Buffer.from(values);
const open = client.headers(1);
const openAndEnded = client.headers(1, requestBlock(), true);

/** Each on a connection whose SETTINGS have been sent. */
const connectionErrors: readonly (readonly [
  name: string,
  frames: readonly Buffer[],
  code: number,
])[] = [
  ["DATA on stream 0", [client.data(0, bytes(1))], PROTOCOL_ERROR],
  ["DATA on an idle stream", [client.data(1, bytes(1))], PROTOCOL_ERROR],
  ["DATA on a stream of the server", [open, client.data(2, bytes(1))], PROTOCOL_ERROR],
  ["HEADERS on stream 0", [client.headers(0)], PROTOCOL_ERROR],
  ["HEADERS on an even stream", [client.headers(2)], PROTOCOL_ERROR],
  ["a stream below the last", [client.headers(5), client.headers(3)], PROTOCOL_ERROR],
  ["HEADERS on a stream that the client has reset", [open, client.reset(1), open], STREAM_CLOSED],
  [
    "HEADERS with too much padding",
    [rawFrame(1, PADDED | END_HEADERS, 1, bytes(9, 0x82))],
    PROTOCOL_ERROR,
  ],
  [
    "HEADERS without the padding's length",
    [rawFrame(1, PADDED | END_HEADERS, 1)],
    FRAME_SIZE_ERROR,
  ],
  [
    "HEADERS without their priority",
    [rawFrame(1, PRIORITY | END_HEADERS, 1, bytes(0, 0, 0, 0))],
    FRAME_SIZE_ERROR,
  ],
  ["malformed headers", [client.headers(1, bytes(0x80))], COMPRESSION_ERROR],
  ["malformed trailers", [open, client.headers(1, bytes(0x80), true)], COMPRESSION_ERROR],
  ["CONTINUATION alone", [rawFrame(9, END_HEADERS, 1, requestBlock())], PROTOCOL_ERROR],
  [
    "CONTINUATION behind the end",
    [open, rawFrame(9, END_HEADERS, 1, requestBlock())],
    PROTOCOL_ERROR,
  ],
  [
    "CONTINUATION of another stream",
    [rawFrame(1, 0, 1, requestBlock()), rawFrame(9, END_HEADERS, 3)],
    PROTOCOL_ERROR,
  ],
  ...(
    [
      ["DATA", client.data(1, bytes(1))],
      ["HEADERS", client.headers(3)],
      ["PING", client.ping()],
      ["SETTINGS", client.settings()],
      ["WINDOW_UPDATE", client.window(0, 1)],
      ["RST_STREAM", client.reset(1)],
      ["an unknown frame", rawFrame(0x77, 0, 1)],
    ] as const
  ).map(
    ([name, frame]) =>
      [
        `${name} inside headers`,
        [rawFrame(1, 0, 1, requestBlock()), frame],
        PROTOCOL_ERROR,
      ] as const,
  ),
  ["PRIORITY on stream 0", [rawFrame(2, 0, 0, bytes(0, 0, 0, 1, 1))], PROTOCOL_ERROR],
  ["RST_STREAM on stream 0", [client.reset(0)], PROTOCOL_ERROR],
  ["RST_STREAM on an idle stream", [client.reset(1)], PROTOCOL_ERROR],
  ["RST_STREAM of 3 bytes", [open, rawFrame(3, 0, 1, bytes(0, 0, 0))], FRAME_SIZE_ERROR],
  ["SETTINGS on a stream", [rawFrame(4, 0, 1)], PROTOCOL_ERROR],
  ["SETTINGS of 5 bytes", [rawFrame(4, 0, 0, bytes(0, 1, 0, 0, 0))], FRAME_SIZE_ERROR],
  [
    "an acknowledgement with settings",
    [rawFrame(4, ACK, 0, bytes(0, 1, 0, 0, 0, 0))],
    FRAME_SIZE_ERROR,
  ],
  ["ENABLE_PUSH 2", [client.settings([2, 2])], PROTOCOL_ERROR],
  ["INITIAL_WINDOW_SIZE 2^31", [client.settings([4, 2 ** 31])], FLOW_CONTROL_ERROR],
  ["MAX_FRAME_SIZE 16383", [client.settings([5, 16_383])], PROTOCOL_ERROR],
  ["MAX_FRAME_SIZE 2^24", [client.settings([5, 2 ** 24])], PROTOCOL_ERROR],
  ["PUSH_PROMISE", [open, rawFrame(5, END_HEADERS, 1, bytes(0, 0, 0, 2))], PROTOCOL_ERROR],
  ["PING on a stream", [rawFrame(6, 0, 1, Buffer.alloc(8))], PROTOCOL_ERROR],
  ["PING of 7 bytes", [rawFrame(6, 0, 0, Buffer.alloc(7))], FRAME_SIZE_ERROR],
  ["GOAWAY on a stream", [rawFrame(7, 0, 1, Buffer.alloc(8))], PROTOCOL_ERROR],
  ["GOAWAY of 7 bytes", [rawFrame(7, 0, 0, Buffer.alloc(7))], FRAME_SIZE_ERROR],
  ["WINDOW_UPDATE of 3 bytes", [rawFrame(8, 0, 0, bytes(0, 0, 1))], FRAME_SIZE_ERROR],
  ["WINDOW_UPDATE 0 of the connection", [client.window(0, 0)], PROTOCOL_ERROR],
  ["WINDOW_UPDATE on an idle stream", [client.window(1, 1)], PROTOCOL_ERROR],
  ["a connection's window beyond 2^31 - 1", [client.window(0, 2 ** 31 - 1)], FLOW_CONTROL_ERROR],
  [
    "a stream's window beyond it by SETTINGS",
    [open, client.window(1, 2 ** 31 - 1 - 65_535), client.settings([4, 65_536])],
    FLOW_CONTROL_ERROR,
  ],
  [
    "a frame beyond MAX_FRAME_SIZE",
    [rawFrame(0x77, 0, 0, Buffer.alloc(2 ** 20 + 1))],
    FRAME_SIZE_ERROR,
  ],
];

describe("connection errors", () => {
  test.each(connectionErrors)("%s", async (_, frames, code) => {
    const peer = Peer.begun();
    peer.send(...frames);
    expect(await peer.goAway()).toBe(code);
    // The socket ends, whoever was served is told, and nothing is heeded any more.
    expect(peer.socket.writableEnded).toBe(true);
    for (const { closedCount } of peer.received) expect(closedCount).toBe(1);
    const count = peer.received.length;
    peer.send(client.headers(101));
    expect(peer.received).toHaveLength(count);
    for (let tick = 0; tick < 3; tick++) peer.connection.checkTime();
    expect(peer.socket.destroyed).toBe(true);
  });

  test.each([
    ["HEADERS", open],
    ["PING", client.ping()],
    ["an acknowledgement", rawFrame(4, ACK, 0)],
    ["DATA", client.data(1, bytes(1))],
    ["an unknown frame", rawFrame(0x77, 0, 0)],
  ])("%s before SETTINGS", async (_, frame) => {
    const peer = new Peer();
    peer.send(client.preface, frame);
    expect(await peer.goAway()).toBe(PROTOCOL_ERROR);
  });

  test("GOAWAY names the last stream that was seen", async () => {
    const peer = Peer.begun();
    peer.send(client.headers(1), client.headers(7), client.ping().subarray(0, 9), Buffer.alloc(8));
    peer.send(client.window(0, 0));
    const goAway = (await peer.frames()).at(-1);
    expect(goAway?.type).toBe(frameType.GOAWAY);
    expect(goAway?.payload.readUInt32BE(0)).toBe(7);
  });

  test("more data than the connection's window", async () => {
    const peer = Peer.begun();
    peer.onRequest = ({ stream }) => stream.pause();
    const MiB = Buffer.alloc(2 ** 20);
    for (let at = 0; at < 5; at++) {
      peer.send(client.headers(2 * at + 1));
      for (let count = 0; count < 13; count++) peer.send(client.data(2 * at + 1, MiB));
    }
    expect(await peer.goAway()).toBe(FLOW_CONTROL_ERROR);
  });
});

const fields = (...lines: string[]): Buffer =>
  encodeHeaders(
    lines.map((line) => {
      const colon = line.indexOf(":", 1);
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
const basic = [":method:POST", ":scheme:http", ":path:/"];

const malformed: readonly (readonly [name: string, block: Buffer])[] = [
  ["no :method", fields(":scheme:http", ":path:/")],
  ["no :scheme", fields(":method:POST", ":path:/")],
  ["no :path", fields(":method:POST", ":scheme:http")],
  ["an empty :path", fields(":method:POST", ":scheme:http", ":path:")],
  ["no headers at all", Buffer.alloc(0)],
  ["two of :method", fields(...basic, ":method:POST")],
  ["two of :path", fields(...basic, ":path:/")],
  ["a pseudo-header behind others", fields(":method:POST", ":scheme:http", "x:1", ":path:/")],
  ["a pseudo-header of answers", fields(...basic, ":status:200")],
  ["an unknown pseudo-header", fields(...basic, ":x:1")],
  ["a capital letter", fields(...basic, "Content-Type:application/grpc")],
  ["an empty name", fields(...basic, "x:1").subarray(0, -2)],
  ["a blank in a name", fields(...basic, "a b:1")],
  ["a name of another alphabet", fields(...basic, "\u00fc:1")],
  ["connection", fields(...basic, "connection:close")],
  ["keep-alive", fields(...basic, "keep-alive:1")],
  ["proxy-connection", fields(...basic, "proxy-connection:1")],
  ["transfer-encoding", fields(...basic, "transfer-encoding:chunked")],
  ["upgrade", fields(...basic, "upgrade:h2c")],
  ["te beyond trailers", fields(...basic, "te:gzip")],
  ["NUL in a value", fields(...basic, "a:\0")],
  ["a line's end in a value", fields(...basic, "a:1\nb: 2")],
  ["CR in a value", fields(...basic, "a:1\r")],
  ["CR in :path", fields(":method:POST", ":scheme:http", ":path:/\r\n")],
  ["a blank before a value", fields(...basic, "a: 1")],
  ["a tab behind a value", fields(...basic, "a:1\t")],
  ["a content-length that is no number", fields(...basic, "content-length:1e2")],
  ["two content-lengths", fields(...basic, "content-length:5", "content-length:5")],
];

const streamErrors: readonly (readonly [name: string, frames: readonly Buffer[], code: number])[] =
  [
    ...malformed
      .filter(([name]) => name !== "an empty name")
      .map(([name, block]) => [name, [client.headers(1, block)], PROTOCOL_ERROR] as const),
    [
      "an empty name",
      [client.headers(1, Buffer.concat([fields(...basic), bytes(0, 0, 1, 0x61)]))],
      PROTOCOL_ERROR,
    ],
    [
      "HEADERS that depend on themselves",
      [rawFrame(1, PRIORITY | END_HEADERS, 1, Buffer.concat([word(1), bytes(1), requestBlock()]))],
      PROTOCOL_ERROR,
    ],
    [
      "PRIORITY that depends on itself",
      [open, rawFrame(2, 0, 1, Buffer.concat([word(1), bytes(1)]))],
      PROTOCOL_ERROR,
    ],
    ["PRIORITY of 4 bytes", [open, rawFrame(2, 0, 1, word(3))], FRAME_SIZE_ERROR],
    ["WINDOW_UPDATE 0", [open, client.window(1, 0)], PROTOCOL_ERROR],
    ["a window beyond 2^31 - 1", [open, client.window(1, 2 ** 31 - 1)], FLOW_CONTROL_ERROR],
    ["DATA behind the end", [openAndEnded, client.data(1, bytes(1))], STREAM_CLOSED],
    [
      "HEADERS behind the end",
      [openAndEnded, client.headers(1, fields("a:1"), true)],
      STREAM_CLOSED,
    ],
    ["trailers that do not end", [open, client.headers(1, fields("a:1"))], PROTOCOL_ERROR],
    [
      "trailers with a pseudo-header",
      [open, client.headers(1, fields(":path:/"), true)],
      PROTOCOL_ERROR,
    ],
    [
      "trailers with a capital letter",
      [open, client.headers(1, fields("A:1"), true)],
      PROTOCOL_ERROR,
    ],
    [
      "DATA behind trailers",
      [open, client.headers(1, fields("a:1"), true), client.data(1, bytes(1))],
      STREAM_CLOSED,
    ],
    [
      "a body shorter than content-length",
      [
        client.headers(1, requestBlock(["content-length", "5"])),
        client.data(1, bytes(1, 2, 3, 4), true),
      ],
      PROTOCOL_ERROR,
    ],
    [
      "a body longer than content-length",
      [client.headers(1, requestBlock(["content-length", "1"])), client.data(1, bytes(1, 2), true)],
      PROTOCOL_ERROR,
    ],
    [
      "no body, and content-length",
      [client.headers(1, requestBlock(["content-length", "1"]), true)],
      PROTOCOL_ERROR,
    ],
    [
      "no body but trailers, and content-length",
      [
        client.headers(1, requestBlock(["content-length", "1"])),
        client.headers(1, fields("a:1"), true),
      ],
      PROTOCOL_ERROR,
    ],
    [
      "more data than the stream's window",
      [open, ...Array(17).fill(client.data(1, Buffer.alloc(2 ** 20 - 9)))],
      FLOW_CONTROL_ERROR,
    ],
  ];

describe("stream errors", () => {
  test.each(streamErrors)("%s", async (name, frames, code) => {
    const peer = Peer.begun();
    if (name.includes("window") && frames.length > 3)
      peer.onRequest = ({ stream }) => stream.pause();
    peer.send(...frames);
    expect(await peer.resets()).toEqual(new Map([[1, code]]));
    for (const { closedCount } of peer.received.slice(0, 1)) {
      expect(closedCount).toBe(peer.onRequest === undefined ? 1 : 0);
    }
    // What is on its way is passed over, and other streams are served.
    peer.onRequest = undefined;
    peer.send(client.window(1, 1), client.headers(3), client.data(3, Buffer.from("abc"), true));
    expect(peer.received.at(-1)).toMatchObject({ body: Buffer.from("abc"), isEnded: true });
    expect(await peer.goAway()).toBeUndefined();
    expect((await peer.resets()).size).toBe(1);
  });

  test("DATA on a stream that was answered, once with a reset", async () => {
    const peer = Peer.begun();
    peer.send(openAndEnded);
    peer.received[0].stream.respond(encodeHeaders([[":status", "200"]]), true);
    peer.send(client.data(1, bytes(1)), client.data(1, bytes(2)));
    await peer.frames();
    const resets = (await peer.frames()).filter(({ type }) => type === frameType.RST_STREAM);
    expect(resets).toHaveLength(1);
    expect(resets[0].payload.readUInt32BE(0)).toBe(STREAM_CLOSED);
    expect(await peer.goAway()).toBeUndefined();
  });

  test("HEADERS on a stream that was answered end the connection", async () => {
    const peer = Peer.begun();
    peer.send(openAndEnded);
    peer.received[0].stream.respond(encodeHeaders([[":status", "200"]]), true);
    peer.send(client.headers(1, fields("a:1"), true));
    expect(await peer.goAway()).toBe(STREAM_CLOSED);
  });
});

describe("no error", () => {
  test.each([
    ["PRIORITY on an idle stream", [rawFrame(2, 0, 9, bytes(0, 0, 0, 0, 1))]],
    [
      "unknown frames and settings",
      [rawFrame(0x77, 0xff, 5, bytes(1)), client.settings([0xabc, 7])],
    ],
    ["flags that nobody knows", [rawFrame(6, 0xfe, 0, Buffer.alloc(8)), rawFrame(4, 0xf0, 0)]],
    ["GOAWAY with a text", [rawFrame(7, 0, 0, Buffer.alloc(30))]],
    ["WINDOW_UPDATE on a stream that ended", [open, client.reset(1), client.window(1, 1)]],
    ["RST_STREAM twice", [open, client.reset(1), client.reset(1)]],
    ["the reserved bit of a stream's number", [rawFrame(8, 0, 2 ** 31, word(5))]],
    ["DATA behind a reset of ours", [open, client.window(1, 0), client.data(1, bytes(1), true)]],
    ["trailers", [open, client.headers(1, fields("a:1"), true)]],
    ["te: trailers", [client.headers(1, requestBlock(["te", "trailers"]))]],
    [
      "content-length 0 without a body",
      [client.headers(1, requestBlock(["content-length", "0"]), true)],
    ],
    [
      "a body as long as it says",
      [
        client.headers(1, requestBlock(["content-length", "2"])),
        client.paddedData(1, bytes(1, 2), 3, true),
      ],
    ],
  ])("%s", async (_, frames) => {
    const peer = Peer.begun();
    peer.send(...frames, client.headers(101));
    expect(await peer.goAway()).toBeUndefined();
    expect(peer.received.at(-1)?.stream.id).toBe(101);
  });
});
