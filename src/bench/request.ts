import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelInferRequestSchema, ModelInferResponseSchema } from "../serve/proto/index.ts";

export type Protocol = "grpc" | "http";

/** One tensor of a request, its bytes little-endian. */
export interface RequestTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A request as it goes to the socket, encoded once and sent as often as one likes. */
export interface PreparedRequest {
  readonly protocol: Protocol;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer as it came. */
export interface RawAnswer {
  readonly body: Buffer;
  /** HTTP: bytes of JSON in front of the tensors. */
  readonly jsonBytes: number;
}

export function prepareRequest(
  protocol: Protocol,
  model: string,
  inputs: readonly RequestTensor[],
): PreparedRequest {
  return protocol === "grpc" ? grpcRequest(model, inputs) : httpRequest(model, inputs);
}

function grpcRequest(model: string, inputs: readonly RequestTensor[]): PreparedRequest {
  const message = toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: model,
      inputs: inputs.map(({ name, datatype, shape }) => ({
        name,
        datatype,
        shape: shape.map(BigInt),
      })),
      rawInputContents: inputs.map(({ bytes }) => bytes),
    }),
  );
  // Every message of gRPC has a flag (0: not compressed) and its length in front.
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return {
    protocol: "grpc",
    path: "/inference.GRPCInferenceService/ModelInfer",
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: Buffer.concat([prefix, message]),
  };
}

function httpRequest(model: string, inputs: readonly RequestTensor[]): PreparedRequest {
  const header = {
    inputs: inputs.map(({ name, datatype, shape, bytes }) => ({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: bytes.length },
    })),
    parameters: { binary_data_output: true },
  };
  const json = Buffer.from(JSON.stringify(header));
  const body = Buffer.concat([json, ...inputs.map(({ bytes }) => bytes)]);
  return {
    protocol: "http",
    path: `/v2/models/${encodeURIComponent(model)}/infer`,
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(body.length),
      "inference-header-content-length": String(json.length),
    },
    body,
  };
}

/** The bytes of an answer's outputs, in the answer's order. */
export function outputsOf(
  protocol: Protocol,
  { body, jsonBytes }: RawAnswer,
): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
  if (protocol === "grpc") {
    const { outputs, rawOutputContents } = fromBinary(
      ModelInferResponseSchema,
      body.subarray(grpcPrefixBytes),
    );
    return outputs.map(({ name }, i) => ({ name, bytes: rawOutputContents[i] }));
  }
  const { outputs } = JSON.parse(body.toString("utf8", 0, jsonBytes)) as {
    outputs: { name: string; parameters: { binary_data_size: number } }[];
  };
  let at = jsonBytes;
  return outputs.map(({ name, parameters }) => {
    const bytes = body.subarray(at, at + parameters.binary_data_size);
    at += parameters.binary_data_size;
    return { name, bytes };
  });
}

const grpcPrefixBytes = 5;
