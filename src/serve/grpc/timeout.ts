import { GrpcError, grpcStatus } from "./status.ts";

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * Milliseconds of a `grpc-timeout` header: up to 8 digits and a unit.
 * @throws GrpcError INVALID_ARGUMENT
 */
export function parseTimeout(text: string): number {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  if (match === null) {
    throw new GrpcError(
      grpcStatus.INVALID_ARGUMENT,
      `grpc-timeout '${text.slice(0, 40)}' is not up to 8 digits and one of H, M, S, m, u, n`,
    );
  }
  return Number(match[1]) * unitMs[match[2]];
}
