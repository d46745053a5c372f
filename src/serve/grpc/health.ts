import { create, toBinary } from "@bufbuild/protobuf";
import type { InferenceCore } from "../core/index.ts";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from "../proto/health_pb.ts";
import { GRPCInferenceService } from "../proto/inference_pb.ts";
import { GatheredBytes } from "../wire/gathered-bytes.ts";
import type { CallHandler, GrpcCall } from "./call.ts";
import { frame } from "./framing.ts";
import { noMessage, secondMessage } from "./infer-call.ts";
import { pathOf, type Route, unaryRoute } from "./route.ts";
import { GrpcError, grpcStatus } from "./status.ts";
import { decodeMessage, type Message, wholeMessage } from "./unary-call.ts";

/** How often a watched status is looked at. */
const watchMs = 200;

/**
 * `grpc.health.v1.Health`. "" and the inference service are serving when the server is ready, so that load
 * balancers leave a draining server alone; `liveness` while it lives at all; a model's name when the model
 * is ready.
 */
export function healthRoutes(core: InferenceCore): readonly (readonly [string, Route])[] {
  return [
    unaryRoute("health", Health.method.check, ({ service }) => {
      const status = statusOf(core, service);
      if (status === Serving.SERVICE_UNKNOWN) {
        throw new GrpcError(grpcStatus.NOT_FOUND, `unknown service '${service}'`);
      }
      return { status };
    }),
    [pathOf(Health.method.watch), { group: "health", open: (call) => new WatchCall(core, call) }],
  ];
}

function statusOf(core: InferenceCore, service: string): Serving {
  const serving = (is: boolean) => (is ? Serving.SERVING : Serving.NOT_SERVING);
  if (service === "" || service === GRPCInferenceService.typeName) return serving(core.isReady);
  if (service === "liveness") return serving(core.isLive);
  const isKnown = core.repositoryIndex({ ready: false }).some(({ name }) => name === service);
  return isKnown ? serving(core.isModelReady(service, "")) : Serving.SERVICE_UNKNOWN;
}

/** Tells the status at once, and again whenever it changes, until the client goes. */
class WatchCall implements CallHandler {
  readonly #core: InferenceCore;
  readonly #call: GrpcCall;
  #message: Message | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(core: InferenceCore, call: GrpcCall) {
    this.#core = core;
    this.#call = call;
  }

  start(_byteLength: number, isCompressed: boolean): void {
    if (this.#message !== undefined) throw secondMessage();
    this.#message = { bytes: new GatheredBytes(), isCompressed };
  }

  data(bytes: Buffer): void {
    this.#message?.bytes.push(bytes);
  }

  end(): void {
    void this.#watch(this.#message as Message);
  }

  inputEnded(): void {
    if (this.#message === undefined) this.#call.fail(noMessage());
  }

  closed(): void {
    clearInterval(this.#timer);
  }

  async #watch(message: Message): Promise<void> {
    try {
      const bytes = await wholeMessage(message, this.#call);
      const { service } = decodeMessage(HealthCheckRequestSchema, bytes);
      let last: Serving | undefined;
      const tell = () => {
        const status = statusOf(this.#core, service);
        if (status === last) return;
        last = status;
        const response = create(HealthCheckResponseSchema, { status });
        this.#call.send([frame(toBinary(HealthCheckResponseSchema, response))]);
      };
      tell();
      if (this.#call.isEnded) return;
      this.#timer = setInterval(tell, watchMs);
      this.#timer.unref();
    } catch (error) {
      this.#call.fail(error);
    }
  }
}
