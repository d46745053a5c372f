import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeHeaders } from "../../../../src/serve/http2/hpack-encoder.ts";
import { Http2Listener, type Http2Stream } from "../../../../src/serve/http2/index.ts";
import { makeCertificate } from "../../../support/serve/certificate.ts";
import { client, Received, readFrames, requestBlock, soon } from "../../../support/serve/http2.ts";
import { frontEndOptions } from "../../../support/serve/wires.ts";

const MiB = 1024 * 1024;
const headers = encodeHeaders([[":status", "200"]]);
const trailers = encodeHeaders([["grpc-status", "0"]]);
const certificate = makeCertificate();
afterAll(() => certificate?.remove());

function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = at ^ (at >> 8) ^ (at >> 16);
  return bytes;
}

const kinds = certificate === undefined ? (["plain"] as const) : (["plain", "TLS"] as const);

describe.each(kinds)("%s", (kind) => {
  const tls = kind === "TLS" ? certificate : undefined;
  let listener: Http2Listener;
  let address: string;
  let received: Received[];
  let sent: number;
  let sessions: { destroy(): void }[];
  /** What answers; an echo unless a test says otherwise. */
  let serve: (received: Received) => void;

  function answer(stream: Http2Stream, ...pieces: readonly Uint8Array[]): void {
    stream.respond(headers);
    stream.write(pieces, () => sent++);
    stream.finish(trailers);
  }

  beforeEach(async () => {
    received = [];
    sent = 0;
    sessions = [];
    serve = (one) => {
      one.onEnd = () => answer(one.stream, one.body);
    };
    listener = new Http2Listener(
      { ...frontEndOptions, ...(tls === undefined ? {} : { tls }) },
      (stream) => {
        const one = new Received(stream);
        received.push(one);
        serve(one);
        stream.open(one);
      },
    );
    address = await listener.start(0);
  });
  afterEach(async () => {
    for (const session of sessions) session.destroy();
    await listener.close(0, () => {});
  });

  const ca = tls === undefined ? undefined : readFileSync(tls.cert);
  const trust = { ca, servername: "localhost" } as const;

  function session(settings: object = {}): ClientHttp2Session {
    const made =
      tls === undefined
        ? connect(`http://${address}`, { settings })
        : connect(`https://${address}`, { settings, ...trust });
    made.on("error", () => {});
    sessions.push(made);
    return made;
  }

  function rawSocket(...first: readonly Buffer[]): Promise<Socket> {
    const [host, port] = [address.split(":")[0], Number(address.split(":")[1])];
    return new Promise((resolve, reject) => {
      const ready = (): void => {
        socket.write(Buffer.concat([client.preface, client.settings([4, 2 ** 30]), ...first]));
        resolve(socket);
      };
      const socket: Socket =
        tls === undefined
          ? connectTcp({ host, port, allowHalfOpen: true }, ready)
          : connectTls(
              { host, port, ...trust, ALPNProtocols: ["h2"], allowHalfOpen: true } as never,
              ready,
            );
      socket.once("error", reject);
      socket.on("error", () => {});
      sessions.push(socket);
    });
  }

  const post = (on: ClientHttp2Session): ClientHttp2Stream =>
    on.request({ ":method": "POST", ":path": "/" });

  function ask(on: ClientHttp2Session, body: Buffer): Promise<Buffer> {
    const stream = post(on);
    const chunks: Buffer[] = [];
    return new Promise((resolve, reject) => {
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", reject);
      stream.on("close", () => resolve(Buffer.concat(chunks)));
      stream.end(body);
    });
  }

  test("megabytes both ways, on several streams and connections at once", async () => {
    const bodies = Array.from({ length: 6 }, (_, at) => pattern(MiB + 1000 * at));
    const on = [session(), session({ initialWindowSize: 1000 }), session({ maxFrameSize: MiB })];
    const answers = await Promise.all(bodies.map((body, at) => ask(on[at % 3], body)));
    for (const [at, body] of bodies.entries()) expect(answers[at].equals(body)).toBe(true);
    expect(sent).toBe(6);
    expect(received.every(({ closedCount }) => closedCount === 1)).toBe(true);
  });

  test("`sent` once where the client breaks off in the middle of its answer", async () => {
    const on = session();
    serve = (one) => answer(one.stream, pattern(1000), pattern(20 * MiB));
    const stream = post(on);
    stream.on("error", () => {});
    await new Promise((resolve) => stream.once("data", resolve));
    expect(sent).toBe(0);
    on.destroy();
    await soon(() => sent).toBe(1);
    expect(received[0].closedCount).toBe(1);
  });

  test("of a stream that is reset, what is on the line is sent first", async () => {
    const memory = pattern(8 * MiB);
    const untouched = Buffer.from(memory);
    serve = (one) => {
      if (one.stream.id === 1) {
        one.stream.respond(headers);
        one.stream.write([memory], () => {
          sent++;
          // Others may use it now.
          memory.fill(0);
        });
      } else answer(one.stream, Buffer.from("other"));
    };
    const socket = await rawSocket(client.window(0, 2 ** 30), client.headers(1));
    socket.pause();
    await soon(() => received.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.write(client.reset(1));
    await soon(() => received[0].closedCount).toBe(1);
    socket.write(client.headers(3, requestBlock(), true));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.resume();
    const dataOf = (id: number) =>
      Buffer.concat(
        readFrames(Buffer.concat(chunks))
          .filter(({ type, streamId }) => type === 0 && streamId === id)
          .map(({ payload }) => payload),
      );
    await soon(() => dataOf(3).toString()).toBe("other");
    expect(sent).toBe(2);
    const first = dataOf(1);
    expect(first.length).toBeLessThan(memory.length);
    expect(first.equals(untouched.subarray(0, first.length))).toBe(true);
  });

  test("a client that sends and does not read is not read, until it does", async () => {
    serve = (one) =>
      one.stream.respond(
        encodeHeaders([
          [":status", "200"],
          ["x", "v".repeat(8000)],
        ]),
        true,
      );
    const socket = await rawSocket();
    socket.pause();
    const block = requestBlock(["x-long", "v".repeat(4000)]);
    let asked = 0;
    let stops = 0;
    // Until the server, and the kernel, take no more.
    while (stops < 3 && received.length < 10_000) {
      const requests = Array.from({ length: 50 }, () =>
        client.headers(2 * asked++ + 1, block, true),
      );
      const before = received.length;
      const goesOn = socket.write(Buffer.concat(requests));
      await new Promise((resolve) => setTimeout(resolve, goesOn ? 1 : 10));
      stops = !goesOn && received.length === before ? stops + 1 : 0;
    }
    expect(received.length).toBeLessThan(10_000);
    // Another client does not notice.
    serve = (one) => {
      one.onEnd = () => answer(one.stream, one.body);
    };
    expect((await ask(session(), pattern(1000))).length).toBe(1000);
    serve = ({ stream }) => stream.respond(headers, true);
    socket.resume();
    await soon(() => received.length).toBe(asked + 1);
    socket.destroy();
  });

  test("a client that ends its side is let go, and so are its streams", async () => {
    serve = () => {};
    const socket = await rawSocket(client.headers(1), client.data(1, pattern(100)).subarray(0, 50));
    await soon(() => received.length).toBe(1);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    socket.end();
    await closed;
    expect(received[0]).toMatchObject({ closedCount: 1, isEnded: false });
  });

  test("the end: what is under way is answered, then the connection closes", async () => {
    const on = session();
    const body = pattern(3 * MiB);
    let go: (() => void) | undefined;
    serve = (one) => {
      one.onEnd = () => {
        go = () => answer(one.stream, one.body);
      };
    };
    const slow = ask(on, body);
    await soon(() => go).toBeDefined();
    const codes: number[] = [];
    on.on("goaway", (code: number) => codes.push(code));
    const closed = listener.close(10_000, () => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    go?.();
    expect((await slow).equals(body)).toBe(true);
    await closed;
    expect(codes).toEqual([0, 0]);
  });

  if (tls === undefined) return;

  test.each([
    ["without ALPN", undefined],
    ["with ALPN for HTTP/1.1", ["http/1.1"]],
  ])("a client %s is refused", async (_, ALPNProtocols) => {
    const [host, port] = address.split(":");
    const socket = connectTls({ host, port: Number(port), ...trust, ALPNProtocols } as never);
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.on("error", () => {});
    socket.on("secureConnect", () => socket.write(client.preface));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(bytes).toBe(0);
    expect(received).toHaveLength(0);
    expect((await ask(session(), pattern(10))).length).toBe(10);
  });
});
