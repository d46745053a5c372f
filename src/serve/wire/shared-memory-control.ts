import { type InferenceCore, ServeError, type SharedMemoryRegion } from "../core/index.ts";
import type { Client } from "./client.ts";

/** The shared-memory endpoints, for clients on this machine alone. */
export function registerRegion(
  core: InferenceCore,
  client: Client,
  region: SharedMemoryRegion,
): void {
  checkLocal(client);
  core.sharedMemory.register(region);
}

/** "" for all. Harmless where shared memory is off: clients clean up without asking. */
export function unregisterRegion(core: InferenceCore, client: Client, name: string): void {
  if (!core.sharedMemory.isEnabled) return;
  checkLocal(client);
  core.sharedMemory.unregister(name);
}

export function regionStatus(
  core: InferenceCore,
  client: Client,
  name: string,
): readonly SharedMemoryRegion[] {
  if (core.sharedMemory.isEnabled) checkLocal(client);
  return core.sharedMemory.status(name);
}

function checkLocal(client: Client): void {
  if (client.isLocal) return;
  throw new ServeError(
    "UNSUPPORTED",
    "shared memory is for clients on the server's own machine, connected through loopback",
  );
}

/** Registering memory of a GPU, which there is none of. */
export function refuseCuda(region: string): never {
  throw new ServeError(
    "INVALID_ARG",
    `failed to register CUDA shared memory region '${region}': this server has no GPU`,
  );
}
