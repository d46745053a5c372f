import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import { performance } from "node:perf_hooks";
import type { InferenceCore } from "../core/index.ts";
import type { FrontEnd, FrontEndOptions, ServeLogger } from "../front-ends.ts";
import { Health } from "../proto/health_pb.ts";
import { GRPCInferenceService } from "../proto/inference_pb.ts";
import { ModelService, PredictionService } from "../proto/tensorflow_serving_pb.ts";
import { tensorflowRoutes } from "../tfs/routes.ts";
import { isLoopback } from "../wire/client.ts";
import { listen, tlsOptions } from "../wire/listen.ts";
import { refusalOf } from "../wire/restriction.ts";
import { type CallHandler, GrpcCall, isGrpc, refuse } from "./call.ts";
import { MessageReader } from "./framing.ts";
import { healthRoutes } from "./health.ts";
import { inferenceRoutes } from "./inference-service.ts";
import { Parking } from "./parking.ts";
import { ReadRelief } from "./read-relief.ts";
import { reflectionRoutes } from "./reflection.ts";
import type { Route, Routes } from "./route.ts";
import { encodeMessage, GrpcError, grpcStatus, statusOf } from "./status.ts";

const MiB = 1024 * 1024;

/** What a client may send before it hears from us: a round trip of 10 ms must not stop an image. */
const streamWindow = 16 * MiB;
const connectionWindow = 64 * MiB;

/** Streams that a client may reset, at once and a second: SONIC's clients give up thousands where a deadline passes. */
const resetLimits = { streamResetBurst: 10_000, streamResetRate: 1000 };

const http2Options: ServerOptions = {
  // Node.js 20 does not know the option and stays at 1000 and 33.
  ...resetLimits,
  settings: {
    initialWindowSize: streamWindow,
    maxConcurrentStreams: 1000,
    maxFrameSize: 256 * 1024,
    maxHeaderListSize: 64 * 1024,
    headerTableSize: 4096,
  },
  // In MB; Node's 10 is less than one window, and a session beyond it is cut off.
  maxSessionMemory: 1024,
};

/** A connection that has not said a word of HTTP/2 by then is closed. */
const prefaceMs = 20_000;
/** A request of which nothing has come for so long is ended, so that it does not hold buffers. */
const stallTicks = 30;
const tickMs = 1000;

/** A call whose request is still coming. */
interface OpenCall {
  readonly call: GrpcCall;
  readonly handler: CallHandler;
  readonly reader: MessageReader;
}

/** The gRPC port. */
export class GrpcServer implements FrontEnd {
  readonly name = "grpc";
  address = "";
  readonly #core: InferenceCore;
  readonly #options: FrontEndOptions;
  readonly #logger: ServeLogger;
  readonly #routes: Routes;
  readonly #server: Http2Server;
  /** Each with whether its peer is this machine; asking the socket again costs as much as a small call. */
  readonly #sessions = new Map<ServerHttp2Session, boolean>();
  readonly #relief = new ReadRelief();
  readonly #calls = new Set<OpenCall>();
  readonly #parking: Parking;
  readonly #hasRestrictions: boolean;
  #tick = 0;
  #sweep: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(core: InferenceCore, options: FrontEndOptions, logger: ServeLogger) {
    this.#core = core;
    this.#options = options;
    this.#logger = logger;
    this.#routes = new Map([
      ...inferenceRoutes(core),
      ...healthRoutes(core),
      ...tensorflowRoutes(core),
      ...reflectionRoutes([GRPCInferenceService, Health, PredictionService, ModelService]),
    ]);
    this.#parking = new Parking(core.pressure);
    this.#hasRestrictions = Object.keys(options.restrict).length > 0;
    const { tls } = options;
    this.#server =
      tls === undefined
        ? createServer(http2Options)
        : createSecureServer({ ...http2Options, ...tlsOptions(tls), ALPNProtocols: ["h2"] });
    this.#server.on("session", (session) => this.#onSession(session));
    this.#server.on("stream", (stream, headers) => this.#onStream(stream, headers));
    this.#server.on("sessionError", () => {}); // Ends the session; its calls are told by `close`.
  }

  /** @throws Nn2fpgaError */
  async start(port: number): Promise<this> {
    this.address = await listen(this.#server, this.#options.host, port, "grpc");
    this.#sweep = setInterval(() => this.#sweepStalled(), tickMs);
    this.#sweep.unref();
    return this;
  }

  /** Says GOAWAY, lets the open calls end, and then closes what is left. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions.keys()) {
      // First a notice, for calls that are on their way; then the end.
      if (!session.destroyed) session.goaway(0, 2 ** 31 - 1);
    }
    await delay(Math.min(graceMs, 50));
    this.#isClosing = true;
    for (const session of this.#sessions.keys()) session.close();
    const timer = setTimeout(() => this.#destroySessions(), graceMs);
    await closed;
    clearTimeout(timer);
    clearInterval(this.#sweep);
  }

  #destroySessions(): void {
    for (const session of this.#sessions.keys()) session.destroy();
  }

  #onSession(session: ServerHttp2Session): void {
    this.#sessions.set(session, isLoopback(session.socket.remoteAddress));
    session.once("close", () => this.#sessions.delete(session));
    session.on("error", () => {});
    session.setLocalWindowSize(connectionWindow);
    const isSilent = setTimeout(() => session.destroy(), prefaceMs);
    isSilent.unref();
    session.once("remoteSettings", () => clearTimeout(isSilent));
    session.once("close", () => clearTimeout(isSilent));
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on("error", ignore); // Told by `close`.
    if (!isGrpc(headers)) {
      stream.respond({ ":status": headers[":method"] === "POST" ? 415 : 405 }, { endStream: true });
      stream.resume();
      return;
    }
    const path = headers[":path"] as string;
    const route = this.#routes.get(path);
    if (route === undefined) {
      this.#refuse(stream, grpcStatus.UNIMPLEMENTED, `unknown method ${path}`);
      return;
    }
    if (this.#hasRestrictions) {
      const refusal = refusalOf(route.group, this.#options.restrict, headers);
      if (refusal !== undefined) {
        this.#refuse(stream, grpcStatus.UNAVAILABLE, refusal);
        return;
      }
    }
    if (this.#isClosing) {
      const message = "GRPC server is shutting down and has stopped accepting new requests.";
      this.#refuse(stream, grpcStatus.UNAVAILABLE, message);
      return;
    }
    if (route.isBulky === true && this.#core.pressure.isHigh) {
      this.#parking.park(
        stream,
        () => this.#serve(stream, headers, route),
        () =>
          this.#refuse(stream, grpcStatus.UNAVAILABLE, "the server is short of memory; try again"),
      );
    } else this.#serve(stream, headers, route);
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, route: Route): void {
    if (stream.destroyed) return;
    let call: GrpcCall;
    try {
      const isLocal = this.#sessions.get(stream.session as ServerHttp2Session) ?? false;
      call = new GrpcCall(stream, headers, this.#options.maxRequestBytes, isLocal);
    } catch (error) {
      const { code, message } = statusOf(error);
      this.#refuse(stream, code, message);
      return;
    }
    const handler = route.open(call);
    const reader = new MessageReader(handler, call.maxMessageBytes);
    const open: OpenCall = { call, handler, reader };
    call.lastTick = this.#tick;
    this.#calls.add(open);
    stream.on("data", (chunk: Buffer) => {
      if (call.isEnded) return;
      call.lastTick = this.#tick;
      try {
        reader.push(chunk);
      } catch (error) {
        this.#fail(open, error);
      }
      this.#relief.read(chunk.length);
    });
    stream.on("end", () => {
      this.#calls.delete(open);
      if (call.isEnded) return;
      if (reader.isBetweenMessages) handler.inputEnded();
      else this.#fail(open, new GrpcError(grpcStatus.INTERNAL, "the request message is cut short"));
    });
    stream.on("close", () => {
      this.#calls.delete(open);
      handler.closed();
    });
  }

  #fail({ call, handler }: OpenCall, error: unknown): void {
    handler.closed();
    this.#logger.debug({ path: call.headers[":path"], ...traceOf(call), error }, "call refused");
    call.fail(error);
  }

  #refuse(stream: ServerHttp2Stream, code: number, message: string): void {
    refuse(stream, { "grpc-status": String(code), "grpc-message": encodeMessage(message) });
    stream.resume();
  }

  /** Ends calls whose request has stopped in the middle of a message, or whose time is over. */
  #sweepStalled(): void {
    this.#tick++;
    const now = performance.now();
    for (const open of this.#calls) {
      const { call, reader } = open;
      const isMidway = !reader.isBetweenMessages && !call.stream.isPaused();
      if (call.deadlineMs !== undefined && call.deadlineMs < now) {
        this.#fail(open, new GrpcError(grpcStatus.DEADLINE_EXCEEDED, "Deadline Exceeded"));
      } else if (isMidway && this.#tick - call.lastTick > stallTicks) {
        const message = `nothing of the request came for ${stallTicks} s`;
        this.#fail(open, new GrpcError(grpcStatus.CANCELLED, message));
        call.stream.close();
      }
    }
  }
}

function ignore(): void {}

function traceOf({ traceparent }: GrpcCall): object {
  return traceparent === undefined ? {} : { traceparent };
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
