import * as http from "node:http";
import * as http2 from "node:http2";
import type { PreparedRequest, RawAnswer } from "./request.ts";

/** A client's connection. It does nothing but send one request again and again: what is measured is the server. */
export interface Connection {
  /** Rejects with an Error that says why there was no answer. */
  send(): Promise<RawAnswer>;
  close(): void;
}

/** Resolves when the connection stands. */
export function openConnection(address: string, request: PreparedRequest): Promise<Connection> {
  return request.protocol === "grpc" ? openGrpc(address, request) : openHttp(address, request);
}

/** Bytes that the server may send before it hears of us. */
const windowBytes = 16 << 20;

function openGrpc(address: string, request: PreparedRequest): Promise<Connection> {
  const session = http2.connect(`http://${address}`, {
    settings: { initialWindowSize: windowBytes },
  });
  const headers = { ":method": "POST", ":path": request.path, ...request.headers };
  const send = () =>
    new Promise<RawAnswer>((resolve, reject) => {
      const stream = session.request(headers);
      const chunks: Buffer[] = [];
      let status: http2.IncomingHttpHeaders = {};
      stream.on("response", (got) => {
        status = got;
      });
      stream.on("trailers", (got) => {
        status = got;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", reject);
      stream.on("close", () => {
        if (status["grpc-status"] === "0") return resolve({ body: joined(chunks), jsonBytes: 0 });
        const message = decodeURIComponent(String(status["grpc-message"] ?? "no answer"));
        reject(new Error(`status ${status["grpc-status"] ?? "none"}: ${message}`));
      });
      stream.end(request.body);
    });
  return new Promise((resolve, reject) => {
    session.once("error", reject);
    // Before the settings of the server are here a request may have 64 KiB under way.
    session.once("remoteSettings", () => {
      session.setLocalWindowSize(windowBytes);
      session.off("error", reject);
      session.on("error", () => {});
      resolve({ send, close: () => session.destroy() });
    });
  });
}

async function openHttp(address: string, request: PreparedRequest): Promise<Connection> {
  const [host, port] = address.split(":");
  const agent = new http.Agent({ keepAlive: true, noDelay: true });
  const options = {
    host,
    port: Number(port),
    agent,
    method: "POST",
    path: request.path,
    headers: request.headers,
  };
  const send = () =>
    new Promise<RawAnswer>((resolve, reject) => {
      const call = http.request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const body = joined(chunks);
          if (response.statusCode === 200) {
            const jsonBytes = Number(
              response.headers["inference-header-content-length"] ?? body.length,
            );
            return resolve({ body, jsonBytes });
          }
          reject(new Error(`status ${response.statusCode}: ${body.toString().slice(0, 200)}`));
        });
      });
      call.on("error", reject);
      call.end(request.body);
    });
  return { send, close: () => agent.destroy() };
}

function joined(chunks: readonly Buffer[]): Buffer {
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}
