import {
  type InferenceCore,
  type LogSettings,
  ServeError,
  type SharedMemoryRegion,
} from "../core/index.ts";
import { HttpError } from "../http1/index.ts";
import { type LoadParameter, loadModel, unloadModel } from "../wire/repository.ts";
import { logSettings, traceSettings } from "../wire/settings.ts";
import {
  refuseCuda,
  regionStatus,
  registerRegion,
  unregisterRegion,
} from "../wire/shared-memory-control.ts";
import { badJson } from "./http-error.ts";
import { serveInfer } from "./infer.ts";
import { type Handler, type HttpRoute, handled } from "./router.ts";

/** Every endpoint of the REST interface. The hot one stands first. */
export function httpRoutes(core: InferenceCore, maxBytes: number): readonly HttpRoute[] {
  const infer: Handler = ({ model, version, client, exchange, fail }) => {
    serveInfer({ core, model, version, client, maxBytes }, exchange, fail);
    return handled;
  };
  const ready = (is: boolean): undefined => {
    if (!is) throw new HttpError(400, "");
  };
  const statistics: Handler = ({ model, version }) => ({
    model_stats: core.modelStatistics(model, version),
  });
  const forModel = (
    rest: string,
    group: HttpRoute["group"],
    verbs: HttpRoute["verbs"],
  ): readonly HttpRoute[] => [
    { pattern: `v2/models/:model${rest}`, group, verbs },
    { pattern: `v2/models/:model/versions/:version${rest}`, group, verbs },
  ];
  const trace: HttpRoute["verbs"] = {
    GET: ({ model }) => traceSettings(core, model, {}),
    POST: async ({ model, json }) => traceSettings(core, model, traceChanges(await json())),
  };

  return [
    ...forModel("/infer", "inference", { POST: infer }),
    { pattern: "v2", group: "metadata", verbs: { GET: () => core.metadata() } },
    { pattern: "v2/health/live", group: "health", verbs: { GET: () => ready(core.isLive) } },
    { pattern: "v2/health/ready", group: "health", verbs: { GET: () => ready(core.isReady) } },
    { pattern: "v2/models/stats", group: "statistics", verbs: { GET: statistics } },
    ...forModel("", "metadata", {
      GET: ({ model, version }) => core.modelMetadata(model, version),
    }),
    ...forModel("/ready", "health", {
      GET: ({ model, version }) => ready(core.isModelReady(model, version)),
    }),
    ...forModel("/config", "model-config", {
      GET: ({ model, version }) => core.modelConfig(model, version),
    }),
    ...forModel("/stats", "statistics", { GET: statistics }),

    {
      pattern: "v2/repository/index",
      group: "model-repository",
      verbs: {
        POST: async ({ json }) =>
          core.repositoryIndex({ ready: (await json())["ready"] === true }).map(indexEntry),
      },
    },
    {
      pattern: "v2/repository/models/:model/load",
      group: "model-repository",
      verbs: {
        POST: async ({ model, json }) => {
          const parameters = loadParameters(parametersOf(await json()));
          await loadModel(core, "", model, parameters);
        },
      },
    },
    {
      pattern: "v2/repository/models/:model/unload",
      group: "model-repository",
      verbs: {
        POST: async ({ model, json }) => {
          const dependents = parametersOf(await json())["unload_dependents"] === true;
          await unloadModel(core, "", model, dependents);
        },
      },
    },

    { pattern: "v2/trace/setting", group: "trace", verbs: trace },
    { pattern: "v2/models/:model/trace/setting", group: "trace", verbs: trace },
    {
      pattern: "v2/logging",
      group: "logging",
      verbs: {
        GET: () => logSettings(core, {}),
        POST: async ({ json }) => logSettings(core, (await json()) as LogSettings),
      },
    },
    ...sharedMemoryRoutes(core),
  ];
}

function sharedMemoryRoutes(core: InferenceCore): readonly HttpRoute[] {
  const group = "shared-memory";
  const status: Handler = ({ client, region }) =>
    regionStatus(core, client, region).map(({ name, key, offset, byteSize }) => ({
      name,
      key,
      offset,
      byte_size: byteSize,
    }));
  const unregister: Handler = ({ client, region }) => unregisterRegion(core, client, region);
  const register: Handler = async ({ client, region, json }) =>
    registerRegion(core, client, regionOf(region, await json()));
  const system = "v2/systemsharedmemory";
  const cuda = "v2/cudasharedmemory";
  return [
    { pattern: `${system}/status`, group, verbs: { GET: status } },
    { pattern: `${system}/unregister`, group, verbs: { POST: unregister } },
    { pattern: `${system}/region/:region/status`, group, verbs: { GET: status } },
    { pattern: `${system}/region/:region/register`, group, verbs: { POST: register } },
    { pattern: `${system}/region/:region/unregister`, group, verbs: { POST: unregister } },
    { pattern: `${cuda}/status`, group, verbs: { GET: () => [] } },
    { pattern: `${cuda}/unregister`, group, verbs: { POST: () => undefined } },
    { pattern: `${cuda}/region/:region/status`, group, verbs: { GET: () => [] } },
    {
      pattern: `${cuda}/region/:region/register`,
      group,
      verbs: { POST: ({ region }) => refuseCuda(region) },
    },
    { pattern: `${cuda}/region/:region/unregister`, group, verbs: { POST: () => undefined } },
  ];
}

function regionOf(region: string, json: Record<string, unknown>): SharedMemoryRegion {
  const { key, offset = 0, byte_size: byteSize } = json;
  if (typeof key !== "string") throw badJson("'key' must be a string");
  for (const size of [offset, byteSize]) {
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw badJson("'offset' and 'byte_size' must be integers of at least 0");
    }
  }
  return { name: region, key, offset: offset as number, byteSize: byteSize as number };
}

function indexEntry({
  name,
  version,
  state,
  reason,
}: ReturnType<InferenceCore["repositoryIndex"]>[0]) {
  return { name, version, state, reason };
}

function parametersOf(json: Record<string, unknown>): Record<string, unknown> {
  const { parameters = {} } = json;
  if (typeof parameters === "object" && parameters !== null && !Array.isArray(parameters)) {
    return parameters as Record<string, unknown>;
  }
  throw badJson("'parameters' must be a JSON object");
}

/** Files travel in base64. */
function loadParameters(
  parameters: Record<string, unknown>,
): readonly (readonly [string, LoadParameter])[] {
  return Object.entries(parameters).map(([key, value]) => {
    if (key.startsWith("file:")) {
      if (typeof value === "string") return [key, Buffer.from(value, "base64")];
      throw badJson(`load parameter '${key}' must be base64 text`);
    }
    // Some clients send the config as the object that it is.
    if (key === "config" && typeof value === "object") return [key, JSON.stringify(value)];
    return [key, value as LoadParameter];
  });
}

/** Every value is a text, a list of texts, or null, which clears the setting. */
function traceChanges(json: Record<string, unknown>): Record<string, readonly string[] | null> {
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => {
      if (value === null) return [key, null];
      if (Array.isArray(value)) return [key, value.map(String)];
      if (typeof value === "object") {
        throw new ServeError("INVALID_ARG", `trace setting '${key}' must be a text or a list`);
      }
      return [key, [String(value)]];
    }),
  );
}
