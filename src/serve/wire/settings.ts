import {
  type InferenceCore,
  type LogSettings,
  ServeError,
  type TraceSettings,
} from "../core/index.ts";

/** Changes trace settings where any are given; "" is the server as a whole. */
export function traceSettings(
  core: InferenceCore,
  model: string,
  changes: Readonly<Record<string, readonly string[] | null>>,
): TraceSettings {
  if (model !== "" && !core.isModelReady(model, "")) core.modelMetadata(model, "");
  const isChange = Object.keys(changes).length > 0;
  return isChange ? core.updateTraceSettings(model, changes) : core.traceSettings(model);
}

/** Changes log settings where any are given. */
export function logSettings(core: InferenceCore, changes: LogSettings): LogSettings {
  for (const [key, value] of Object.entries(changes)) {
    if (!["boolean", "number", "string"].includes(typeof value)) {
      throw new ServeError("INVALID_ARG", `log setting '${key}' has no value that it can have`);
    }
  }
  return Object.keys(changes).length > 0 ? core.updateLogSettings(changes) : core.logSettings();
}
