import { readFileSync } from "node:fs";
import * as http2 from "node:http2";
import { ServiceError } from "./service.ts";

/** Where a server is, and how to speak to it. */
export interface ServerAddress {
  /** What messages call it. Default: the address. */
  readonly name?: string;
  /** `host:port` of its gRPC endpoint. */
  readonly address: string;
  /** PEM files. Without `tls` the connection is in the clear. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Sent with each call: for servers that ask for a header. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Bytes that a server may send before it must wait: as much as an answer is likely to have. */
const windowBytes = 16 << 20;
const unavailable = 14;
const deadlineExceeded = 4;
const internal = 13;

/**
 * Unary gRPC calls over one HTTP/2 connection, which many calls share. A connection that ends is opened
 * again by the next call.
 */
export class GrpcChannel {
  readonly name: string;
  readonly #server: ServerAddress;
  #session: http2.ClientHttp2Session | undefined;

  constructor(server: ServerAddress) {
    this.name = server.name ?? server.address;
    this.#server = server;
  }

  /**
   * @param path `/package.Service/Method`
   * @param timeoutMs 0 for none; also sent to the server, which then drops what waits in its queue
   * @throws ServiceError
   */
  call(path: string, message: Uint8Array, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fail = (status: number, text: string, cause?: unknown) =>
        reject(new ServiceError(this.name, status, text, { cause }));
      let stream: http2.ClientHttp2Stream;
      try {
        stream = this.#connect().request({
          ":method": "POST",
          ":path": path,
          "content-type": "application/grpc",
          te: "trailers",
          ...(timeoutMs > 0 && { "grpc-timeout": `${Math.max(1, Math.ceil(timeoutMs))}m` }),
          ...this.#server.headers,
        });
      } catch (cause) {
        return fail(unavailable, `cannot be reached: ${(cause as Error).message}`, cause);
      }
      const chunks: Buffer[] = [];
      let status: http2.IncomingHttpHeaders = {};
      const timer =
        timeoutMs > 0
          ? setTimeout(() => {
              fail(deadlineExceeded, `no answer within ${timeoutMs} ms`);
              stream.close(http2.constants.NGHTTP2_CANCEL);
            }, timeoutMs)
          : undefined;
      stream.on("response", (headers) => {
        status = headers;
      });
      stream.on("trailers", (trailers) => {
        status = trailers;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", (cause) =>
        fail(unavailable, `the call broke off: ${cause.message}`, cause),
      );
      stream.on("close", () => {
        clearTimeout(timer);
        const code = Number(status["grpc-status"] ?? Number.NaN);
        if (code === 0) {
          const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
          const length = body.length < 5 ? -1 : body.readUInt32BE(1);
          if (body[0] === 0 && length === body.length - 5) return resolve(body.subarray(5));
          return fail(internal, "the answer is no whole message");
        }
        if (Number.isNaN(code)) return fail(unavailable, "the connection ended before the answer");
        fail(code, decodeMessage(status["grpc-message"]));
      });
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      stream.write(prefix);
      stream.end(message);
    });
  }

  close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined || session.destroyed) return Promise.resolve();
    return new Promise((resolve) => session.close(resolve));
  }

  #connect(): http2.ClientHttp2Session {
    const open = this.#session;
    if (open !== undefined && !open.closed && !open.destroyed) return open;
    const { address, tls } = this.#server;
    const file = (path: string | undefined) =>
      path === undefined ? undefined : readFileSync(path);
    const session = http2.connect(`${tls === undefined ? "http" : "https"}://${address}`, {
      settings: { initialWindowSize: windowBytes },
      ...(tls?.ca !== undefined && { ca: file(tls.ca) }),
      ...(tls?.cert !== undefined && { cert: file(tls.cert) }),
      ...(tls?.key !== undefined && { key: file(tls.key) }),
    });
    session.on("connect", () => session.setLocalWindowSize(windowBytes));
    // Calls under way hear of it by themselves; later ones connect again.
    const forget = () => {
      if (this.#session === session) this.#session = undefined;
    };
    session.on("error", forget);
    session.on("goaway", forget);
    session.on("close", forget);
    // An idle connection keeps no process alive.
    session.unref();
    this.#session = session;
    return session;
  }
}

/** `grpc-message` is percent-encoded; a server that sends none still gets a text. */
function decodeMessage(text: string | string[] | undefined): string {
  const encoded = String(text ?? "");
  if (encoded === "") return "the server gave no reason";
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
