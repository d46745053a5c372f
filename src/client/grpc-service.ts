import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  ModelMetadataRequestSchema,
  ModelMetadataResponseSchema,
  ModelStatisticsRequestSchema,
  ModelStatisticsResponseSchema,
  RepositoryIndexRequestSchema,
  RepositoryIndexResponseSchema,
  ServerReadyRequestSchema,
  ServerReadyResponseSchema,
} from "../serve/proto/index.ts";
import { GrpcChannel, type ServerAddress } from "./grpc-channel.ts";
import {
  type InferenceService,
  type InferRequest,
  type InferResponse,
  type ModelDescription,
  type ModelHealth,
  ServiceError,
} from "./service.ts";

/** Calls about models are small and must not hold a job up. */
const controlTimeoutMs = 30_000;

/** A server that speaks KServe v2 (Triton's gRPC service). */
export class GrpcService implements InferenceService {
  readonly #channel: GrpcChannel;

  constructor(server: ServerAddress) {
    this.#channel = new GrpcChannel(server);
  }

  get name(): string {
    return this.#channel.name;
  }

  async models(): Promise<readonly string[]> {
    const request = create(RepositoryIndexRequestSchema, {});
    const { models } = await this.#call(
      "RepositoryIndex",
      [RepositoryIndexRequestSchema, request],
      RepositoryIndexResponseSchema,
    );
    return models.map(({ name }) => name);
  }

  async describe(name: string, version: string): Promise<ModelDescription> {
    const request = create(ModelMetadataRequestSchema, { name, version });
    const { inputs, outputs } = await this.#call(
      "ModelMetadata",
      [ModelMetadataRequestSchema, request],
      ModelMetadataResponseSchema,
    );
    const plain = ({ name: tensor, datatype, shape }: (typeof inputs)[number]) => ({
      name: tensor,
      datatype,
      shape: shape.map(Number),
    });
    return { inputs: inputs.map(plain), outputs: outputs.map(plain) };
  }

  async health(model: string): Promise<ModelHealth> {
    const { ready } = await this.#call(
      "ServerReady",
      [ServerReadyRequestSchema, create(ServerReadyRequestSchema, {})],
      ServerReadyResponseSchema,
    );
    const request = create(ModelStatisticsRequestSchema, { name: model });
    const { modelStats } = await this.#call(
      "ModelStatistics",
      [ModelStatisticsRequestSchema, request],
      ModelStatisticsResponseSchema,
    );
    const { success, fail } = modelStats[0]?.inferenceStats ?? {};
    const count = Number(success?.count ?? 0n);
    return {
      isReady: ready,
      failures: Number(fail?.count ?? 0n),
      meanNs: count === 0 ? 0 : Number(success?.ns ?? 0n) / count,
    };
  }

  async infer(request: InferRequest, timeoutMs: number): Promise<InferResponse> {
    const message = create(ModelInferRequestSchema, {
      modelName: request.model,
      modelVersion: request.version,
      inputs: request.inputs.map(({ name, datatype, shape }) => ({
        name,
        datatype,
        shape: shape.map(BigInt),
      })),
      outputs: request.outputs.map((name) => ({ name })),
      rawInputContents: request.inputs.map(({ bytes }) => bytes),
    });
    const answer = await this.#call(
      "ModelInfer",
      [ModelInferRequestSchema, message],
      ModelInferResponseSchema,
      timeoutMs,
    );
    const outputs = answer.outputs.map(({ name, datatype, shape }, i) => {
      const bytes = answer.rawOutputContents[i];
      if (bytes === undefined) {
        throw new ServiceError(this.name, 13, `the answer has no bytes for output '${name}'`);
      }
      return { name, datatype, shape: shape.map(Number), bytes };
    });
    return { version: answer.modelVersion, outputs };
  }

  close(): Promise<void> {
    return this.#channel.close();
  }

  async #call<Q extends Message, A extends Message>(
    method: string,
    [schema, request]: readonly [GenMessage<Q>, Q],
    answer: GenMessage<A>,
    timeoutMs: number = controlTimeoutMs,
  ): Promise<A> {
    const path = `/inference.GRPCInferenceService/${method}`;
    const bytes = await this.#channel.call(path, toBinary(schema, request), timeoutMs);
    try {
      return fromBinary(answer, bytes);
    } catch (cause) {
      throw new ServiceError(this.name, 13, `the answer to ${method} cannot be read`, { cause });
    }
  }
}
