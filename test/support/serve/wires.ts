import * as grpc from "@grpc/grpc-js";
import * as protoLoader from "@grpc/proto-loader";
import { GrpcServer } from "../../../src/serve/grpc/server.ts";
import type { FrontEndOptions, ServeLogger } from "../../../src/serve/index.ts";
import type { FakeCore } from "./fake-core.ts";

export const silent: ServeLogger = { debug() {}, info() {}, warn() {}, error() {} };

export const frontEndOptions: FrontEndOptions = {
  host: "127.0.0.1",
  maxRequestBytes: 64 * 1024 * 1024,
  restrict: {},
};

/** The gRPC server on a free port. */
export async function startGrpcServer(
  core: FakeCore,
  options: Partial<FrontEndOptions> = {},
): Promise<GrpcServer> {
  return await new GrpcServer(core, { ...frontEndOptions, ...options }, silent).start(0);
}

const loaded = protoLoader.loadSync(
  ["inference.proto", "health.proto", "reflection_v1.proto", "tensorflow_serving.proto"],
  {
    includeDirs: [new URL("../../../proto", import.meta.url).pathname],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  },
);

// Dynamic by nature: what a test asks of a reply, it says.
// biome-ignore lint/suspicious/noExplicitAny: replies of a dynamic client
export type Reply = any;

/** A client of @grpc/grpc-js for any service of ours. */
export class TestClient {
  readonly raw: Reply;

  constructor(address: string, service = "inference.GRPCInferenceService", options: object = {}) {
    const path = service.split(".");
    let node: Reply = grpc.loadPackageDefinition(loaded);
    for (const name of path) node = node[name];
    this.raw = new node(address, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      ...options,
    });
  }

  /** A unary call; rejects with grpc-js's error, which has `code` and `details`. */
  call(
    method: string,
    request: object = {},
    headers: Record<string, string> = {},
    options: object = {},
  ) {
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
    return new Promise<Reply>((resolve, reject) => {
      this.raw[method](request, metadata, options, (error: Error | null, reply: Reply) =>
        error === null ? resolve(reply) : reject(error),
      );
    });
  }

  close(): void {
    this.raw.close();
  }
}

/** Code and text of a call that must fail. */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<{ code: number; details: string }> {
  const error = (await promise.then(
    () => {
      throw new Error("the call succeeded");
    },
    (problem: unknown) => problem,
  )) as { code: number; details: string };
  return { code: error.code, details: error.details };
}

/** A request for the fake core's models. */
export function inferRequest(
  model: string,
  datatype: string,
  shape: readonly number[],
  raw: Uint8Array,
  more: object = {},
) {
  return {
    model_name: model,
    id: "7",
    inputs: [{ name: "INPUT0", datatype, shape }],
    raw_input_contents: [raw],
    ...more,
  };
}
