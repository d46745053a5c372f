import { createGunzip, createInflate, deflate, type Gunzip, gzip, type Inflate } from "node:zlib";
import { type BodySink, type Exchange, HttpError } from "../http1/index.ts";
import { GatheredBytes } from "../wire/gathered-bytes.ts";

/** Feeds a request's body, decompressed if need be, to `sink`, up to `maxBytes`. */
export function readBody(exchange: Exchange, maxBytes: number, sink: BodySink): void {
  const encoding = exchange.head.headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") exchange.read(sink);
  else if (encoding === "gzip" || encoding === "deflate") {
    exchange.read(new Decompressor(exchange, encoding, maxBytes, sink));
  } else {
    sink.fail(
      new HttpError(415, `Content-Encoding '${encoding}' is none of gzip, deflate, identity`),
    );
  }
}

/** A body as a whole. */
export function wholeBody(exchange: Exchange, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const bytes = new GatheredBytes();
    readBody(exchange, maxBytes, {
      push: (chunk) => bytes.push(chunk),
      finish: () => resolve(bytes.take()),
      fail: reject,
    });
  });
}

/** Takes compressed bytes, and gives on what was compressed. */
class Decompressor implements BodySink {
  readonly #stream: Gunzip | Inflate;
  readonly #exchange: Exchange;
  readonly #sink: BodySink;
  #isOver = false;

  constructor(exchange: Exchange, encoding: "gzip" | "deflate", maxBytes: number, sink: BodySink) {
    this.#exchange = exchange;
    this.#sink = sink;
    const stream = encoding === "gzip" ? createGunzip() : createInflate();
    this.#stream = stream;
    let size = 0;
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      this.#try(() => {
        if (size > maxBytes) {
          throw new HttpError(413, `the request is larger than the limit of ${maxBytes} bytes`);
        }
        sink.push(chunk);
      });
    });
    stream.on("drain", () => exchange.hold(false));
    stream.on("end", () => this.#try(() => sink.finish()));
    stream.on("error", ({ message }) =>
      this.fail(
        new HttpError(400, `the request cannot be decompressed as ${encoding}: ${message}`),
      ),
    );
  }

  push(chunk: Buffer): void {
    if (!this.#isOver && !this.#stream.write(Buffer.from(chunk))) this.#exchange.hold(true);
  }

  finish(): void {
    if (!this.#isOver) this.#stream.end();
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.destroy();
    this.#sink.fail(error);
  }

  #try(step: () => void): void {
    if (this.#isOver || this.#exchange.isOver) return;
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }
}

/** Bodies shorter than this are not worth compressing. */
const minCompressedBytes = 512;

/** Answers with 200, compressed if the client asks for that. As `Exchange.reply`. */
export function sendBody(
  exchange: Exchange,
  headers: string,
  text: string,
  tensors?: readonly Uint8Array[],
  sent?: () => void,
): void {
  const encoding = askedEncoding(exchange);
  const bytes = (tensors ?? []).reduce((sum, { length }) => sum + length, text.length);
  if (encoding === undefined || bytes < minCompressedBytes) {
    exchange.reply(200, headers, text, tensors, sent);
    return;
  }
  const whole = Buffer.concat([Buffer.from(text), ...(tensors ?? [])]);
  sent?.();
  const compress = encoding === "gzip" ? gzip : deflate;
  compress(whole, { level: 1 }, (error, result) => {
    if (error !== null) exchange.reply(200, headers, "", [whole]);
    else exchange.reply(200, `${headers}Content-Encoding: ${encoding}\r\n`, "", [result]);
  });
}

function askedEncoding({ head }: Exchange): "gzip" | "deflate" | undefined {
  const accepted = head.headers["accept-encoding"];
  if (accepted === undefined) return undefined;
  const offered = accepted
    .split(",")
    .map((part) => part.trim().split(/\s*;\s*q=/))
    .filter(([, quality]) => quality === undefined || Number(quality) > 0)
    .map(([name]) => name);
  if (offered.includes("gzip")) return "gzip";
  return offered.includes("deflate") ? "deflate" : undefined;
}
