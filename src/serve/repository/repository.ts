import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unpackBundle } from "../../artifact/index.ts";
import type { LoadOptions, RepositoryEntry } from "../core/inference-core.ts";
import type { ModelConfig } from "../core/model-config.ts";
import { asServeError, ServeError } from "../core/serve-error.ts";
import type { ServedModel } from "../scheduler/served-model.ts";
import {
  archiveSuffix,
  isModelName,
  type ModelSource,
  parseConfigOverride,
  readConfig,
  scanRepository,
  wantedVersions,
} from "./layout.ts";
import type { TextMessage } from "./text-format.ts";

/** A version that takes requests. */
export interface ReadyVersion {
  readonly served: ServedModel;
  readonly config: ModelConfig;
}

/** Makes a version ready, or throws. */
export type LoadVersion = (
  source: ModelSource,
  version: number,
  given: TextMessage | undefined,
) => Promise<ReadyVersion>;

interface VersionState {
  state: RepositoryEntry["state"];
  reason: string;
  ready: ReadyVersion | undefined;
}

interface ModelEntry {
  readonly versions: Map<number, VersionState>;
  /** Loads and unloads of one model follow one another. */
  turn: Promise<unknown>;
  /** Why there is no version at all. */
  reason: string;
  isLoading: boolean;
  /** The folder that holds files which a client sent. */
  staged: string | undefined;
}

/**
 * The models of a folder and what has become of them. A new version of a model serves once it is ready; the
 * old one answers what it has begun.
 */
export class ModelRepository {
  readonly #root: string;
  readonly #load: LoadVersion;
  readonly #models = new Map<string, ModelEntry>();
  readonly #retiring = new Set<Promise<void>>();

  constructor(root: string, load: LoadVersion) {
    this.#root = root;
    this.#load = load;
  }

  /** Loads what is there, or only some of it. One bad model is no reason for the others not to serve. */
  async loadAll(names: readonly string[] | undefined): Promise<readonly string[]> {
    const there = scanRepository(this.#root).map(({ name }) => name);
    let rest = [...(names ?? there)];
    let failures = new Map<string, string>();
    // Ensembles stand on other models: those that failed are tried again while that helps.
    for (let before = rest.length + 1; rest.length > 0 && rest.length < before; ) {
      before = rest.length;
      failures = new Map();
      for (const name of rest) {
        await this.load(name).catch((error: Error) => failures.set(name, error.message));
      }
      rest = rest.filter((name) => failures.has(name) && this.#isEnsemble(name));
    }
    return [...failures.values()];
  }

  /** Loads a model, again or for the first time. @throws ServeError */
  load(name: string, options: LoadOptions = {}): Promise<void> {
    if (!isModelName(name)) {
      const message = `failed to load '${name}', this is no name for a model`;
      return Promise.reject(new ServeError("INVALID_ARG", message));
    }
    return this.#inTurn(name, (entry) => this.#reload(name, entry, options));
  }

  /** @throws ServeError NOT_FOUND */
  unload(name: string): Promise<void> {
    if (!this.#models.has(name)) {
      const message = `failed to unload '${name}', the model is not loaded`;
      return Promise.reject(new ServeError("NOT_FOUND", message));
    }
    return this.#inTurn(name, async (entry) => {
      entry.reason = "unloaded";
      for (const [version, state] of entry.versions)
        this.#retire(entry, version, state, "unloaded");
    });
  }

  names(): string[] {
    return [...this.#models.keys()].sort();
  }

  /** The version of a request. @throws ServeError NOT_FOUND, UNAVAILABLE, INVALID_ARG */
  find(name: string, version: string): ReadyVersion {
    const entry = this.#models.get(name);
    if (entry === undefined) return notFound(name);
    if (version === "") {
      const latest = this.ready(name).at(-1);
      if (latest !== undefined) return latest;
      throw new ServeError(
        "UNAVAILABLE",
        `Request for unknown model: '${name}' has no available versions`,
      );
    }
    if (!/^\d+$/.test(version)) {
      throw new ServeError(
        "INVALID_ARG",
        `failed to get model version from specified version string '${version}' (an integral value greater than 0)`,
      );
    }
    const state = entry.versions.get(Number(version));
    if (state?.ready !== undefined) return state.ready;
    if (state === undefined) {
      const message = `Request for unknown model: '${name}' version ${version} is not found`;
      throw new ServeError("NOT_FOUND", message);
    }
    const message = `Request for unknown model: '${name}' version ${version} is not at ready state`;
    throw new ServeError("UNAVAILABLE", message);
  }

  /** Ready versions of a model, ascending. */
  ready(name: string): ReadyVersion[] {
    const versions = [...(this.#models.get(name)?.versions ?? [])].sort(([a], [b]) => a - b);
    return versions.flatMap(([, { ready }]) => (ready === undefined ? [] : [ready]));
  }

  allReady(): ReadyVersion[] {
    return this.names().flatMap((name) => this.ready(name));
  }

  index(isReadyOnly: boolean): RepositoryEntry[] {
    const entries = this.names().flatMap((name): RepositoryEntry[] => {
      const entry = this.#models.get(name) as ModelEntry;
      const versions = [...entry.versions].sort(([a], [b]) => a - b);
      if (versions.length === 0) {
        const state = entry.isLoading ? "LOADING" : "UNAVAILABLE";
        return [{ name, version: "", state, reason: entry.isLoading ? "" : entry.reason }];
      }
      return versions.map(([version, { state, reason }]) => ({
        name,
        version: String(version),
        state,
        reason,
      }));
    });
    return isReadyOnly ? entries.filter(({ state }) => state === "READY") : entries;
  }

  /** Resolves when every version that was replaced or unloaded has ended. */
  async settled(): Promise<void> {
    while (this.#retiring.size > 0) await Promise.all(this.#retiring);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#models.values()].map(({ turn }) => turn));
    for (const entry of this.#models.values()) {
      for (const [version, state] of entry.versions)
        this.#retire(entry, version, state, "unloaded");
    }
    await this.settled();
    for (const { staged } of this.#models.values()) removeStaged(staged);
  }

  #inTurn(name: string, work: (entry: ModelEntry) => Promise<void>): Promise<void> {
    let entry = this.#models.get(name);
    if (entry === undefined) {
      entry = {
        versions: new Map(),
        turn: Promise.resolve(),
        reason: "",
        isLoading: false,
        staged: undefined,
      };
      this.#models.set(name, entry);
    }
    const own = entry;
    const result = own.turn.then(() => work(own));
    own.turn = result.catch(() => {});
    return result;
  }

  async #reload(name: string, entry: ModelEntry, options: LoadOptions): Promise<void> {
    entry.isLoading = true;
    try {
      await this.#loadVersions(name, entry, options);
    } catch (error) {
      const { status, message } = asServeError(error);
      entry.reason = message;
      if (entry.versions.size === 0 && status === "NOT_FOUND") this.#models.delete(name);
      const text = message.startsWith("failed to load")
        ? message
        : `failed to load '${name}', ${message}`;
      throw new ServeError(status === "INVALID_ARG" ? status : "INTERNAL", text, { cause: error });
    } finally {
      entry.isLoading = false;
    }
  }

  async #loadVersions(name: string, entry: ModelEntry, options: LoadOptions): Promise<void> {
    const hasFiles = options.files !== undefined && options.files.size > 0;
    const staged = hasFiles ? stageFiles(name, options.files) : undefined;
    const wasStaged = entry.staged;
    try {
      const source = staged ?? this.#sourceOf(name);
      const given =
        options.config !== undefined
          ? parseConfigOverride(options.config, name)
          : readConfig(source);
      const policy = given?.["version_policy"] as ModelConfig["version_policy"] | undefined;
      const wanted = wantedVersions(source, policy);
      if (wanted.length === 0) {
        throw new ServeError(
          "INTERNAL",
          "there is no version of the model that its policy asks for",
        );
      }
      const made = new Map<number, ReadyVersion>();
      const failures = new Map<number, string>();
      for (const version of wanted) {
        const state = stateOf(entry, version);
        await this.#load(source, version, given).then(
          (ready) => made.set(version, ready),
          (error: Error) => failures.set(version, error.message),
        );
        if (state.ready === undefined && failures.has(version)) {
          state.state = "UNAVAILABLE";
          state.reason = failures.get(version) as string;
        }
      }
      // A client's files serve as a whole or not at all; of a folder's versions each stands for itself.
      if (staged !== undefined && failures.size > 0) {
        for (const { served } of made.values()) this.#track(served.retire());
      } else {
        for (const [version, ready] of made) this.#publish(entry, version, ready);
      }
      if (failures.size > 0) {
        const reasons = [...failures].map(([version, text]) => `version ${version}: ${text}`);
        throw new ServeError("INTERNAL", reasons.join("; "));
      }
      for (const [version, state] of entry.versions) {
        if (!wanted.includes(version)) this.#retire(entry, version, state, "unloaded");
      }
      entry.staged = staged?.folder;
      entry.reason = "";
      if (wasStaged !== undefined && wasStaged !== entry.staged) removeStaged(wasStaged);
    } catch (error) {
      removeStaged(staged?.folder);
      throw error;
    }
  }

  /** From now on requests go to the new one; the old one answers what it has begun, and ends. */
  #publish(entry: ModelEntry, version: number, ready: ReadyVersion): void {
    const state = stateOf(entry, version);
    const old = state.ready;
    state.ready = ready;
    state.state = "READY";
    state.reason = "";
    if (old !== undefined) this.#track(old.served.retire());
  }

  #retire(entry: ModelEntry, version: number, state: VersionState, reason: string): void {
    const { ready } = state;
    state.ready = undefined;
    state.reason = reason;
    if (ready === undefined) {
      state.state = "UNAVAILABLE";
      return;
    }
    state.state = "UNLOADING";
    this.#track(
      ready.served.retire().then(() => {
        if (entry.versions.get(version) === state && state.ready === undefined) {
          state.state = "UNAVAILABLE";
        }
      }),
    );
  }

  #track(retired: Promise<void>): void {
    const tracked = retired.catch(() => {}).finally(() => this.#retiring.delete(tracked));
    this.#retiring.add(tracked);
  }

  #isEnsemble(name: string): boolean {
    try {
      return readConfig(this.#sourceOf(name))?.["platform"] === "ensemble";
    } catch {
      return false;
    }
  }

  #sourceOf(name: string): ModelSource {
    const source = scanRepository(this.#root).find((model) => model.name === name);
    if (source !== undefined) return source;
    throw new ServeError(
      "NOT_FOUND",
      `failed to load '${name}', failed to poll from model repository`,
    );
  }
}

function stateOf({ versions }: ModelEntry, version: number): VersionState {
  let state = versions.get(version);
  if (state === undefined) {
    state = { state: "LOADING", reason: "", ready: undefined };
    versions.set(version, state);
  }
  return state;
}

function notFound(name: string): never {
  throw new ServeError("NOT_FOUND", `Request for unknown model: '${name}' is not found`);
}

/** Files of a model that a client sent, at most, and what their paths look like. */
const mostFiles = 256;
const stagedPath = /^(?:[1-9][0-9]{0,8}\/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/;

/**
 * Writes a client's files into a folder of their own. A bundle comes as `VERSION/NAME.n2f.zip`; it is
 * unpacked, and checked by its manifest, before anything else is done with it.
 */
function stageFiles(name: string, files: ReadonlyMap<string, Uint8Array>): ModelSource {
  if (files.size > mostFiles) {
    throw new ServeError("INVALID_ARG", `failed to load '${name}', more than ${mostFiles} files`);
  }
  for (const path of files.keys()) {
    if (stagedPath.test(path) && !path.endsWith(".n2f")) continue;
    throw new ServeError(
      "INVALID_ARG",
      `failed to load '${name}', "${path}" is no path for a model's file; bundles are sent as VERSION/NAME${archiveSuffix}`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "nn2fpga-serve-"));
  try {
    for (const [path, bytes] of files) {
      const place = join(folder, path);
      mkdirSync(dirname(place), { recursive: true });
      if (path.endsWith(archiveSuffix)) unpackBundle(bytes, place.replace(/\.zip$/, ""));
      else writeFileSync(place, bytes);
    }
  } catch (error) {
    removeStaged(folder);
    throw error;
  }
  return { name, folder, isBundle: false };
}

function removeStaged(folder: string | undefined): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}
