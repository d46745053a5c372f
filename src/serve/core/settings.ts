import type { LogSettings, TraceSettings } from "./inference-core.ts";
import { ServeError } from "./serve-error.ts";

const traceDefaults: TraceSettings = {
  trace_file: [""],
  trace_level: ["OFF"],
  trace_rate: ["1000"],
  trace_count: ["-1"],
  log_frequency: ["0"],
  trace_mode: ["triton"],
};

const logDefaults: LogSettings = {
  log_file: "",
  log_info: true,
  log_warning: true,
  log_error: true,
  log_verbose_level: 0,
  log_format: "default",
};

/** Settings that clients read and write. What is set for a model stands above what is set for all. */
export class Settings {
  #log: LogSettings = logDefaults;
  readonly #trace = new Map<string, Map<string, readonly string[]>>();

  trace(model: string): TraceSettings {
    return {
      ...traceDefaults,
      ...Object.fromEntries(this.#trace.get("") ?? []),
      ...Object.fromEntries(this.#trace.get(model) ?? []),
    };
  }

  /** @throws ServeError INVALID_ARG */
  updateTrace(
    model: string,
    settings: Readonly<Record<string, readonly string[] | null>>,
  ): TraceSettings {
    for (const name of Object.keys(settings)) {
      if (!Object.hasOwn(traceDefaults, name)) {
        throw new ServeError("INVALID_ARG", `there is no trace setting '${name}'`);
      }
    }
    const own = this.#trace.get(model) ?? new Map<string, readonly string[]>();
    this.#trace.set(model, own);
    for (const [name, values] of Object.entries(settings)) {
      if (values === null || values.length === 0) own.delete(name);
      else own.set(name, values);
    }
    return this.trace(model);
  }

  log(): LogSettings {
    return this.#log;
  }

  /** @throws ServeError INVALID_ARG */
  updateLog(settings: LogSettings): LogSettings {
    for (const [name, value] of Object.entries(settings)) {
      const known = Object.hasOwn(logDefaults, name) ? logDefaults[name] : undefined;
      if (typeof known === typeof value) continue;
      throw new ServeError(
        "INVALID_ARG",
        known === undefined
          ? `there is no log setting '${name}'`
          : `the log setting '${name}' cannot be ${JSON.stringify(value)}`,
      );
    }
    this.#log = { ...this.#log, ...settings };
    return this.#log;
  }
}
