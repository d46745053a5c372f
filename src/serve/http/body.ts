import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { createGunzip, createInflate, deflate, gzip } from "node:zlib";
import { HttpError } from "./http-error.ts";

/** What takes a body as it comes. */
export interface BodySink {
  /** May throw, which ends the request. */
  push(chunk: Buffer): void;
  finish(): void;
  fail(error: unknown): void;
}

/** Feeds a request's body, decompressed if need be, to `sink`, up to `maxBytes`. */
export function readBody(request: IncomingMessage, maxBytes: number, sink: BodySink): void {
  let isOver = false;
  const fail = (error: unknown): void => {
    if (isOver) return;
    isOver = true;
    request.resume(); // What still comes is passed over.
    sink.fail(error);
  };
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
    fail(tooLarge(maxBytes));
    return;
  }
  let source: Readable;
  try {
    source = decoded(request, fail);
  } catch (error) {
    fail(error);
    return;
  }
  let size = 0;
  source.on("data", (chunk: Buffer) => {
    if (isOver) return;
    size += chunk.length;
    try {
      if (size > maxBytes) throw tooLarge(maxBytes);
      sink.push(chunk);
    } catch (error) {
      if (source !== request) source.destroy();
      fail(error);
    }
  });
  source.on("end", () => {
    if (isOver) return;
    try {
      sink.finish();
      isOver = true;
    } catch (error) {
      fail(error);
    }
  });
}

/** A body as a whole. */
export function wholeBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    readBody(request, maxBytes, {
      push: (chunk) => chunks.push(chunk),
      finish: () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)),
      fail: reject,
    });
  });
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `the request is larger than the limit of ${maxBytes} bytes`);
}

function decoded(request: IncomingMessage, fail: (error: unknown) => void): Readable {
  const encoding = request.headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") return request;
  if (encoding !== "gzip" && encoding !== "deflate") {
    throw new HttpError(415, `Content-Encoding '${encoding}' is none of gzip, deflate, identity`);
  }
  const stream = encoding === "gzip" ? createGunzip() : createInflate();
  stream.on("error", (error) => {
    request.unpipe(stream);
    fail(new HttpError(400, `the request cannot be decompressed as ${encoding}: ${error.message}`));
  });
  return request.pipe(stream);
}

/** Bodies shorter than this are not worth compressing. */
const minCompressedBytes = 512;

/**
 * Sends a body, compressed if the client asks for that. Large pieces are sent as they are, and must stay
 * unchanged until the response closes.
 */
export function sendBody(
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string | number>,
  pieces: readonly (Uint8Array | string)[],
): void {
  const size = pieces.reduce(
    (sum, piece) => sum + (typeof piece === "string" ? Buffer.byteLength(piece) : piece.length),
    0,
  );
  const encoding = size < minCompressedBytes ? undefined : askedEncoding(request);
  if (encoding === undefined) {
    response.writeHead(200, { ...headers, "content-length": size });
    const last = pieces.length - 1;
    if (last > 0) response.cork();
    for (let at = 0; at < last; at++) response.write(pieces[at]);
    response.end(pieces[last]);
    if (last > 0) response.uncork();
    return;
  }
  const whole = Buffer.concat(
    pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)),
  );
  const compress = encoding === "gzip" ? gzip : deflate;
  compress(whole, { level: 1 }, (error, result) => {
    if (response.destroyed) return;
    const body = error === null ? result : whole;
    response.writeHead(200, {
      ...headers,
      ...(error === null && { "content-encoding": encoding }),
      "content-length": body.length,
    });
    response.end(body);
  });
}

function askedEncoding(request: IncomingMessage): "gzip" | "deflate" | undefined {
  const accepted = request.headers["accept-encoding"];
  if (accepted === undefined) return undefined;
  const offered = String(accepted)
    .split(",")
    .map((part) => part.trim().split(/\s*;\s*q=/))
    .filter(([, quality]) => quality === undefined || Number(quality) > 0)
    .map(([name]) => name);
  if (offered.includes("gzip")) return "gzip";
  return offered.includes("deflate") ? "deflate" : undefined;
}
