import { createServer, METHODS } from "node:http";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Random } from "../../../../src/base/index.ts";
import { type Exchange, HttpListener } from "../../../../src/serve/http1/index.ts";
import { frontEndOptions } from "../../../support/serve/wires.ts";

/** A request that came whole. */
interface Seen {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

let seen: Seen[] = [];
/** What the next requests are answered with, and when. */
let answer: (exchange: Exchange, body: string) => void;
const echo = (exchange: Exchange, body: string): void => exchange.reply(200, "", body);
let listener: HttpListener;
let port = 0;
const maxRequestBytes = 100_000;

beforeAll(async () => {
  listener = new HttpListener({ ...frontEndOptions, maxRequestBytes }, (exchange) => {
    const chunks: Buffer[] = [];
    exchange.read({
      push: (chunk) => void chunks.push(Buffer.from(chunk)),
      finish: () => {
        const body = Buffer.concat(chunks).toString("latin1");
        seen.push({ method: exchange.head.method, target: exchange.head.target, body });
        answer(exchange, body);
      },
      fail: (error) => exchange.reply((error as { status: number }).status, "", ""),
    });
  });
  port = Number((await listener.start(0)).split(":")[1]);
});
beforeEach(() => {
  seen = [];
  answer = echo;
});
afterAll(() => listener.close(0));

/** Sends bytes in pieces, ends, and gives everything that comes back. */
function talk(pieces: readonly (string | Buffer)[], to = port, ends = true): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(to, "127.0.0.1", async () => {
      for (const piece of pieces) {
        socket.write(piece, "latin1");
        if (pieces.length > 1) await pause(2);
      }
      if (ends) socket.end();
    });
    let text = "";
    socket.setNoDelay(true);
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(text));
    socket.setTimeout(5000, () => socket.destroy());
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => +code);
const post = (body: string, lines = "", path = "/a") =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunkedHead = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
const chunked = `${chunkedHead}3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n`;

describe("requests", () => {
  test("one after the other, in any pieces", async () => {
    const bytes = Buffer.from(post("one") + chunked + post("") + post("two", "", "/b"));
    for (let size = 1; size < bytes.length; size += 1 + (size >> 2)) {
      seen = [];
      const pieces = [];
      const first = size % 17;
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
      const text = await talk(
        size < 8 ? [bytes.subarray(0, first), bytes.subarray(first)] : pieces,
      );
      expect(statuses(text)).toEqual([200, 200, 200, 200]);
      expect(seen.map(({ body }) => body)).toEqual(["one", "abc0123456789", "", "two"]);
    }
  });

  test("answers keep the order of pipelined requests, and nothing is read ahead of them", async () => {
    let open = 0;
    answer = (exchange, body) => {
      expect(++open).toBe(1);
      setTimeout(() => {
        open--;
        exchange.reply(200, "", body);
      }, 5);
    };
    const requests = ["1", "2", "3"].map((body) => post(body)).join("");
    const text = await talk([requests + post("4", "Connection: close\r\n")], port, false);
    expect(text.match(/\r\n\r\n\d/g)?.join("")).toBe("\r\n\r\n1\r\n\r\n2\r\n\r\n3\r\n\r\n4");
  });

  test("an early answer: the rest of the body is passed over", async () => {
    const early = new HttpListener({ ...frontEndOptions, maxRequestBytes }, (exchange) =>
      exchange.reply(404, "", ""),
    );
    const at = Number((await early.start(0)).split(":")[1]);
    const text = await talk([post("x".repeat(50_000)), chunked, post("")], at);
    expect(statuses(text)).toEqual([404, 404, 404]);
    await early.close(0);
  });

  test("100 Continue comes when the body is wanted", async () => {
    const head = post("", "Expect: 100-continue\r\n").replace("Length: 0", "Length: 2");
    expect(statuses(await talk([head, "ab"]))).toEqual([100, 200]);
    expect(statuses(await talk([post("a", "Expect: a miracle\r\n")]))).toEqual([417]);
    const large = head.replace("Length: 2", "Length: 200000");
    expect(statuses(await talk([large], port, false))).toEqual([413]);
  });

  test("HTTP/1.0 and 'Connection: close' end the connection", async () => {
    const old = post("a").replace("HTTP/1.1", "HTTP/1.0");
    for (const last of [old, post("a", "Connection: close\r\n")]) {
      const text = await talk([last + post("b")], port, false);
      expect(statuses(text)).toEqual([200]);
      expect(text).toContain("Connection: close");
    }
    const kept = old.replace("Host", "Connection: keep-alive\r\nHost");
    expect(statuses(await talk([kept + post("b")]))).toEqual([200, 200]);
  });

  test("HEAD has the length and no body; an absolute target its path", async () => {
    const text = await talk([post("abc").replace("POST /a", "HEAD http://x.y:1/p?q=1")]);
    expect(text).toContain("Content-Length: 3\r\n");
    expect(text.endsWith("\r\n\r\n")).toBe(true);
    expect(seen[0].target).toBe("/p?q=1");
  });

  test("a client that does not read its answers is not read either", async () => {
    answer = (exchange) => exchange.reply(200, "", "", [Buffer.alloc(1 << 20)]);
    const socket = connect(port, "127.0.0.1");
    socket.pause();
    for (let count = 0; count < 200; count++) socket.write(post("a"));
    await pause(300);
    const { length } = seen;
    expect(length).toBeLessThan(100);
    socket.resume();
    await pause(500);
    expect(seen.length).toBeGreaterThan(length);
    socket.destroy();
  });

  test("the buffers of a large answer are given back once, also if the client goes", async () => {
    let sent = 0;
    answer = (exchange) => exchange.reply(200, "", "", [Buffer.alloc(8 << 20)], () => void sent++);
    expect((await talk([post("")])).length).toBeGreaterThan(8 << 20);
    expect(sent).toBe(1);
    const socket = connect(port, "127.0.0.1", () => socket.write(post("")));
    socket.once("data", () => socket.destroy());
    await pause(100);
    expect(sent).toBe(2);
  });

  test("a request is told that its client has gone", async () => {
    let gone = 0;
    answer = (exchange) => {
      exchange.onGone = () => void gone++;
      setTimeout(() => exchange.reply(200, "", ""), 60);
    };
    const socket = connect(port, "127.0.0.1", () => socket.write(post("")));
    await pause(30);
    socket.destroy();
    await pause(60);
    expect(gone).toBe(1);
  });
});

describe("what is refused", () => {
  const get = (lines: string) => `GET / HTTP/1.1\r\n${lines}\r\n`;
  test.each([
    ["length and coding", get("Host: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n")],
    ["two lengths", get("Host: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n")],
    ["a list of lengths", get("Host: x\r\nContent-Length: 0, 0\r\n")],
    ["a signed length", get("Host: x\r\nContent-Length: +0\r\n")],
    ["a hexadecimal length", get("Host: x\r\nContent-Length: 0x0\r\n")],
    ["a length beyond all", get("Host: x\r\nContent-Length: 9999999999999999\r\n")],
    ["two codings", get("Host: x\r\nTransfer-Encoding: gzip, chunked\r\n"), 501],
    ["a coding twice", get("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n")],
    ["a coding that only looks so", get("Host: x\r\nTransfer-Encoding: \x0bchunked\r\n")],
    ["a coding of HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a space before the colon", get("Host: x\r\nContent-Length : 0\r\n")],
    ["a folded header", get("Host: x\r\nA: b\r\n c\r\n")],
    ["a space before the first header", get(" Host: x\r\n")],
    ["a bare LF", get("Host: x\nA: b\r\n")],
    ["a bare CR", get("Host: x\rA: b\r\n")],
    ["a NUL", get("Host: x\0\r\n")],
    ["no colon", get("Host: x\r\nnothing\r\n")],
    ["no name", get("Host: x\r\n: b\r\n")],
    ["no host", get("A: b\r\n")],
    ["two hosts", get("Host: x\r\nHost: y\r\n")],
    ["another protocol", "GET / HTTP/2.0\r\n\r\n", 505],
    ["no path", "GET x HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["two spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a long head", get(`Host: x\r\nA: ${"b".repeat(20_000)}\r\n`), 431],
    ["a head without end", `GET / HTTP/1.1\r\nA: ${"b".repeat(20_000)}`, 431],
    ["no chunk size", `${chunkedHead}\r\n\r\n`],
    ["a signed chunk size", `${chunkedHead}-1\r\n\r\n`],
    ["a space behind a chunk size", `${chunkedHead}0 \r\n\r\n`],
    ["a chunk size beyond all", `${chunkedHead}fffffffffffff\r\n`],
    ["a chunk that is longer than it says", `${chunkedHead}1\r\nab\r\n0\r\n\r\n`],
    ["an empty extension", `${chunkedHead}1;\r\na\r\n0\r\n\r\n`],
    ["a trailer without a name", `${chunkedHead}0\r\n: u\r\n\r\n`],
    ["chunks with bare LF", `${chunkedHead}1\na\n0\n\n`],
    ["endless extensions", `${chunkedHead}1;${"x".repeat(20_000)}`, 431],
    ["endless trailers", `${chunkedHead}0\r\n${"T: u\r\n".repeat(5000)}`, 431],
    ["a body that is cut", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"],
    ["a head that is cut", "POST / HTTP/1.1\r\nHo"],
  ])("%s", async (_, bytes, status = 400) => {
    // What follows must not be taken for a request.
    const isCut = _.endsWith("cut");
    const text = await talk([bytes + (isCut ? "" : post("smuggled"))]);
    expect(statuses(text)).toEqual([status]);
    expect(seen).toEqual([]);
  });

  test("a body beyond the limit", async () => {
    const big = "x".repeat(maxRequestBytes + 1);
    expect(statuses(await talk([post(big) + post("")]))).toEqual([413]);
    const pieces = `${chunkedHead}${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`;
    expect(statuses(await talk([pieces + post("")]))).toEqual([413]);
    expect(seen).toEqual([]);
  });
});

describe("time", () => {
  const silent = (first: string): Promise<{ text: string; socket: Socket }> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write(first));
      let text = "";
      socket.on("data", (data) => {
        text += data;
      });
      socket.on("close", () => resolve({ text, socket }));
    });

  test.each([
    ["nothing", "", 31, []],
    ["half a head", "GET / HT", 31, [408]],
    ["half a body", post("abc").slice(0, -1), 301, [408]],
    ["nothing after an answer", post(""), 76, [200]],
  ])("%s", async (_, bytes, seconds, expected) => {
    const over = silent(bytes);
    await pause(50);
    listener.tick += seconds;
    const { text } = await over;
    expect(statuses(text)).toEqual(expected);
  });

  test("a head that trickles has no more time than one that stops", async () => {
    const over = silent("GET / HTTP/1.1\r\n");
    await pause(30);
    listener.tick += 20;
    const socket = connect(port, "127.0.0.1", () => socket.end());
    await pause(30);
    listener.tick += 12;
    expect(statuses((await over).text)).toEqual([408]);
  });
});

describe("the same bytes for node:http", () => {
  let theirs: Server;
  let theirSeen: Seen[] = [];
  beforeAll(async () => {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const body = Buffer.concat(chunks).toString("latin1");
        theirSeen.push({ method: request.method ?? "", target: request.url ?? "", body });
        response.end(body);
      });
    });
    theirs = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => void theirs.close());

  const lines = [
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Content-Length: 3",
    "Content-Length:3",
    "Content-Length: 03",
    "content-length:\t3 ",
    "Connection: close",
    "Connection: Keep-Alive, Upgrade",
    "Expect: 100-continue",
    "X: \x80\xff",
    "X:",
    " folded",
    "Host: y",
  ];
  const random = new Random(7);
  const requests = [post("abc"), chunked, "GET /g HTTP/1.1\r\nHost: x\r\n\r\n", post("", "", "/e")];
  const nasty = [
    "\r",
    "\n",
    "\r\n",
    " ",
    "\t",
    ":",
    ";",
    "0",
    "\0",
    "\x0b",
    "a",
    ",",
    "\x7f",
    "\xa0",
  ];

  function mutated(): string {
    let text = "";
    for (let count = 1 + random.below(3); count > 0; count--) {
      let one = requests[random.below(requests.length)];
      if (random.below(3) === 0) {
        one = one.replace("Host: x", `${lines[random.below(lines.length)]}\r\nHost: x`);
      }
      text += one;
    }
    for (let count = random.below(3); count > 0; count--) {
      const at = random.below(text.length);
      const cut = random.below(3);
      text = text.slice(0, at) + nasty[random.below(nasty.length)] + text.slice(at + cut);
    }
    return text;
  }

  test("what is accepted here is accepted there, with the same body", async () => {
    let accepted = 0;
    for (let round = 0; round < 1500; round++) {
      const bytes = mutated();
      [seen, theirSeen] = [[], []];
      await Promise.all([talk([bytes]), talk([bytes], (theirs.address() as AddressInfo).port)]);
      // llhttp knows a list of methods; any word is one.
      const unknown = seen.findIndex(({ method }) => !METHODS.includes(method));
      const ours = unknown === -1 ? seen : seen.slice(0, unknown);
      accepted += ours.length;
      expect(theirSeen.slice(0, ours.length), JSON.stringify(bytes)).toEqual(ours);
    }
    expect(accepted).toBeGreaterThan(1000);
  }, 60_000);
});
