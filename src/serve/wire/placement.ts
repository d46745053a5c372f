import { type Parameters, ServeError } from "../core/index.ts";

/** Where in a registered region of shared memory a tensor stands or shall go. */
export interface SharedPlacement {
  readonly region: string;
  readonly offset: number;
  readonly byteSize: number;
}

/**
 * The placement that a tensor's parameters name; undefined if its bytes travel in the message.
 * @throws ServeError INVALID_ARG for a region without a size, or an offset or size that is no count
 */
export function placementOf(
  parameters: Parameters | undefined,
  tensor: string,
): SharedPlacement | undefined {
  const region = parameters?.get("shared_memory_region");
  if (region === undefined) return undefined;
  if (typeof region !== "string") {
    throw new ServeError(
      "INVALID_ARG",
      `'shared_memory_region' of '${tensor}' must be a string parameter`,
    );
  }
  return {
    region,
    offset: count(parameters, "shared_memory_offset", tensor, 0),
    byteSize: count(parameters, "shared_memory_byte_size", tensor, undefined),
  };
}

function count(
  parameters: Parameters | undefined,
  key: string,
  tensor: string,
  absent: number | undefined,
): number {
  const value = parameters?.get(key) ?? absent;
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0) {
    throw new ServeError(
      "INVALID_ARG",
      `'${key}' of '${tensor}' must be an integer of at least 0, because it is in shared memory`,
    );
  }
  return number;
}
