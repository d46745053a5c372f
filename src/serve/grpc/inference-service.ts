import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import type { InferenceCore } from "../core/index.ts";
import { GRPCInferenceService, ModelStatisticsSchema } from "../proto/inference_pb.ts";
import { ModelConfigSchema } from "../proto/model_config_pb.ts";
import { checkRepositoryName, loadModel, unloadModel } from "../wire/repository.ts";
import { logSettings, traceSettings } from "../wire/settings.ts";
import {
  refuseCuda,
  regionStatus,
  registerRegion,
  unregisterRegion,
} from "../wire/shared-memory-control.ts";
import { InferCall } from "./infer-call.ts";
import { pathOf, type Route, unaryRoute } from "./route.ts";
import { StreamInferCall } from "./stream-infer-call.ts";

/** The 20 methods of `inference.GRPCInferenceService`. */
export function inferenceRoutes(core: InferenceCore): readonly (readonly [string, Route])[] {
  const rpc = GRPCInferenceService.method;
  return [
    [
      pathOf(rpc.modelInfer),
      { group: "inference", isBulky: true, open: (call) => new InferCall(core, call) },
    ],
    [
      pathOf(rpc.modelStreamInfer),
      { group: "inference", isBulky: true, open: (call) => new StreamInferCall(core, call) },
    ],

    unaryRoute("health", rpc.serverLive, () => ({ live: core.isLive })),
    unaryRoute("health", rpc.serverReady, () => ({ ready: core.isReady })),
    unaryRoute("health", rpc.modelReady, ({ name, version }) => ({
      ready: core.isModelReady(name, version),
    })),

    unaryRoute("metadata", rpc.serverMetadata, () => {
      const { name, version, extensions } = core.metadata();
      return { name, version, extensions: [...extensions] };
    }),
    unaryRoute("metadata", rpc.modelMetadata, ({ name, version }) => {
      const metadata = core.modelMetadata(name, version);
      return {
        name: metadata.name,
        versions: [...metadata.versions],
        platform: metadata.platform,
        inputs: metadata.inputs.map(tensorMetadata),
        outputs: metadata.outputs.map(tensorMetadata),
      };
    }),
    unaryRoute("model-config", rpc.modelConfig, ({ name, version }) => ({
      config: fromJson(ModelConfigSchema, core.modelConfig(name, version) as JsonValue, lenient),
    })),
    unaryRoute("statistics", rpc.modelStatistics, ({ name, version }) => ({
      modelStats: core
        .modelStatistics(name, version)
        .map((entry) => fromJson(ModelStatisticsSchema, entry as unknown as JsonValue, lenient)),
    })),

    unaryRoute("model-repository", rpc.repositoryIndex, ({ repositoryName, ready }) => {
      checkRepositoryName(repositoryName);
      return { models: core.repositoryIndex({ ready }).map((entry) => ({ ...entry })) };
    }),
    unaryRoute("model-repository", rpc.repositoryModelLoad, async (request) => {
      const parameters = Object.entries(request.parameters).map(
        ([key, { parameterChoice }]) => [key, parameterChoice.value ?? ""] as const,
      );
      await loadModel(core, request.repositoryName, request.modelName, parameters);
      return {};
    }),
    unaryRoute("model-repository", rpc.repositoryModelUnload, async (request) => {
      const dependents = request.parameters["unload_dependents"]?.parameterChoice.value === true;
      await unloadModel(core, request.repositoryName, request.modelName, dependents);
      return {};
    }),

    unaryRoute("shared-memory", rpc.systemSharedMemoryStatus, ({ name }, call) => ({
      regions: Object.fromEntries(
        regionStatus(core, call, name).map((region) => [
          region.name,
          {
            name: region.name,
            key: region.key,
            offset: BigInt(region.offset),
            byteSize: BigInt(region.byteSize),
          },
        ]),
      ),
    })),
    unaryRoute("shared-memory", rpc.systemSharedMemoryRegister, (request, call) => {
      registerRegion(core, call, {
        name: request.name,
        key: request.key,
        offset: Number(request.offset),
        byteSize: Number(request.byteSize),
      });
      return {};
    }),
    unaryRoute("shared-memory", rpc.systemSharedMemoryUnregister, ({ name }, call) => {
      unregisterRegion(core, call, name);
      return {};
    }),
    unaryRoute("shared-memory", rpc.cudaSharedMemoryStatus, () => ({ regions: {} })),
    unaryRoute("shared-memory", rpc.cudaSharedMemoryRegister, ({ name }) => refuseCuda(name)),
    unaryRoute("shared-memory", rpc.cudaSharedMemoryUnregister, () => ({})),

    unaryRoute("trace", rpc.traceSetting, ({ modelName, settings }) => {
      const changes = Object.entries(settings).map(
        ([key, { value }]) => [key, value.length === 0 ? null : value] as const,
      );
      const now = traceSettings(core, modelName, Object.fromEntries(changes));
      const entries = Object.entries(now).map(([key, value]) => [key, { value: [...value] }]);
      return { settings: Object.fromEntries(entries) };
    }),
    unaryRoute("logging", rpc.logSettings, ({ settings }) => {
      const changes = Object.entries(settings).map(
        ([key, { parameterChoice }]) => [key, parameterChoice.value as never] as const,
      );
      const now = logSettings(core, Object.fromEntries(changes));
      return { settings: Object.fromEntries(Object.entries(now).map(logSetting)) };
    }),
  ];
}

/** The core keeps what config.pbtxt says; what the protocol has no field for does not travel. */
const lenient = { ignoreUnknownFields: true };

function tensorMetadata(tensor: {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}) {
  const { name, datatype, shape } = tensor;
  return { name, datatype, shape: shape.map(BigInt) };
}

function logSetting([key, value]: readonly [string, boolean | number | string]) {
  const parameterChoice =
    typeof value === "boolean"
      ? { case: "boolParam" as const, value }
      : typeof value === "number"
        ? { case: "uint32Param" as const, value }
        : { case: "stringParam" as const, value };
  return [key, { parameterChoice }] as const;
}
