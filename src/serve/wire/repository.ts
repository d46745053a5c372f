import { type InferenceCore, type LoadOptions, ServeError } from "../core/index.ts";

/** A parameter of a load request on any wire. */
export type LoadParameter = string | Uint8Array | boolean | number | bigint;

const filePrefix = "file:";

/** What Triton's clients are told when the operator does not allow models to be changed. */
function checkAllowed(core: InferenceCore, repository: string): void {
  if (!core.isModelControlAllowed) {
    throw new ServeError(
      "UNAVAILABLE",
      "explicit model load / unload is not allowed; the operator has to start the server with " +
        "--model-control explicit",
    );
  }
  checkRepositoryName(repository);
}

/** @throws ServeError UNSUPPORTED: there is one repository, which has no name */
export function checkRepositoryName(repository: string): void {
  if (repository !== "") {
    throw new ServeError("UNSUPPORTED", "'repository_name' specification is not supported");
  }
}

/** @throws ServeError */
export async function loadModel(
  core: InferenceCore,
  repository: string,
  model: string,
  parameters: Iterable<readonly [string, LoadParameter]>,
): Promise<void> {
  checkAllowed(core, repository);
  const files = new Map<string, Uint8Array>();
  let config: string | undefined;
  for (const [key, value] of parameters) {
    if (key === "config") {
      if (typeof value !== "string") throw wrongType("config", "a string");
      config = value;
    } else if (key.startsWith(filePrefix)) {
      if (!(value instanceof Uint8Array)) throw wrongType(key, "bytes");
      files.set(key.slice(filePrefix.length), value);
    } else {
      throw new ServeError("INVALID_ARG", `unrecognized load parameter '${key}'.`);
    }
  }
  const options: LoadOptions = {
    ...(config !== undefined && { config }),
    ...(files.size > 0 && { files }),
  };
  await core.loadModel(model, options);
}

function wrongType(key: string, type: string): ServeError {
  return new ServeError("INVALID_ARG", `load parameter '${key}' must be ${type}`);
}

/** @throws ServeError */
export async function unloadModel(
  core: InferenceCore,
  repository: string,
  model: string,
  unloadDependents: boolean,
): Promise<void> {
  checkAllowed(core, repository);
  await core.unloadModel(model, { unloadDependents });
}
