import { performance } from "node:perf_hooks";
import type { InferenceCore } from "../core/index.ts";
import type { FrontEnd, FrontEndOptions, ServeLogger } from "../front-ends.ts";
import { encodeHeaders, Http2Listener, type Http2Stream } from "../http2/index.ts";
import { Health } from "../proto/health_pb.ts";
import { GRPCInferenceService } from "../proto/inference_pb.ts";
import { ModelService, PredictionService } from "../proto/tensorflow_serving_pb.ts";
import { tensorflowRoutes } from "../tfs/routes.ts";
import { refusalOf } from "../wire/restriction.ts";
import { type CallHandler, GrpcCall, isGrpc, refuse } from "./call.ts";
import { MessageReader } from "./framing.ts";
import { healthRoutes } from "./health.ts";
import { inferenceRoutes } from "./inference-service.ts";
import { Parking } from "./parking.ts";
import { reflectionRoutes } from "./reflection.ts";
import type { Route, Routes } from "./route.ts";
import { GrpcError, grpcStatus, statusOf } from "./status.ts";

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
  readonly #listener: Http2Listener;
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
    this.#listener = new Http2Listener(options, (stream) => this.#onStream(stream));
  }

  /** @throws Nn2fpgaError */
  async start(port: number): Promise<this> {
    this.address = await this.#listener.start(port);
    this.#sweep = setInterval(() => this.#sweepStalled(), tickMs);
    this.#sweep.unref();
    return this;
  }

  /** Says GOAWAY, lets the open calls end, and then closes what is left. */
  async close(graceMs: number): Promise<void> {
    await this.#listener.close(graceMs, () => {
      this.#isClosing = true;
    });
    clearInterval(this.#sweep);
  }

  #onStream(stream: Http2Stream): void {
    const { headers } = stream;
    if (!isGrpc(headers)) {
      const answer = headers[":method"] === "POST" ? wrongType : wrongMethod;
      stream.open({ data() {}, inputEnded: () => stream.respond(answer, true), closed() {} });
      return;
    }
    const path = headers[":path"] as string;
    const route = this.#routes.get(path);
    if (route === undefined) {
      refuse(stream, grpcStatus.UNIMPLEMENTED, `unknown method ${path}`);
      return;
    }
    if (this.#hasRestrictions) {
      const refusal = refusalOf(route.group, this.#options.restrict, headers);
      if (refusal !== undefined) {
        refuse(stream, grpcStatus.UNAVAILABLE, refusal);
        return;
      }
    }
    if (this.#isClosing) {
      const message = "GRPC server is shutting down and has stopped accepting new requests.";
      refuse(stream, grpcStatus.UNAVAILABLE, message);
      return;
    }
    if (route.isBulky === true && this.#core.pressure.isHigh) {
      this.#parking.park(
        stream,
        () => this.#serve(stream, route),
        () => refuse(stream, grpcStatus.UNAVAILABLE, "the server is short of memory; try again"),
      );
    } else this.#serve(stream, route);
  }

  #serve(stream: Http2Stream, route: Route): void {
    let call: GrpcCall;
    try {
      call = new GrpcCall(stream, this.#options.maxRequestBytes);
    } catch (error) {
      const { code, message } = statusOf(error);
      refuse(stream, code, message);
      return;
    }
    const handler = route.open(call);
    const reader = new MessageReader(handler, call.maxMessageBytes);
    const open: OpenCall = { call, handler, reader };
    call.lastTick = this.#tick;
    this.#calls.add(open);
    stream.open({
      data: (bytes) => {
        if (call.isEnded) return;
        call.lastTick = this.#tick;
        try {
          reader.push(bytes);
        } catch (error) {
          this.#fail(open, error);
        }
      },
      inputEnded: () => {
        this.#calls.delete(open);
        if (call.isEnded) return;
        if (reader.isBetweenMessages) handler.inputEnded();
        else {
          const message = "the request message is cut short";
          this.#fail(open, new GrpcError(grpcStatus.INTERNAL, message));
        }
      },
      closed: () => {
        this.#calls.delete(open);
        handler.closed();
        call.onClosed?.();
      },
    });
  }

  #fail({ call, handler }: OpenCall, error: unknown): void {
    handler.closed();
    this.#logger.debug({ path: call.headers[":path"], ...traceOf(call), error }, "call refused");
    call.fail(error);
  }

  /** Ends calls whose request has stopped in the middle of a message, or whose time is over. */
  #sweepStalled(): void {
    this.#tick++;
    const now = performance.now();
    for (const open of this.#calls) {
      const { call, reader } = open;
      const isMidway = !reader.isBetweenMessages && !call.stream.isPaused;
      if (call.deadlineMs !== undefined && call.deadlineMs < now) {
        this.#fail(open, new GrpcError(grpcStatus.DEADLINE_EXCEEDED, "Deadline Exceeded"));
      } else if (isMidway && this.#tick - call.lastTick > stallTicks) {
        const message = `nothing of the request came for ${stallTicks} s`;
        this.#fail(open, new GrpcError(grpcStatus.CANCELLED, message));
        call.stream.reset();
      }
    }
  }
}

const wrongType = encodeHeaders([[":status", "415"]]);
const wrongMethod = encodeHeaders([[":status", "405"]]);

function traceOf({ traceparent }: GrpcCall): object {
  return traceparent === undefined ? {} : { traceparent };
}
