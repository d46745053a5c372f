import { ServeError, type ServeStatus } from "../core/index.ts";

/** gRPC's status codes. @see https://grpc.io/docs/guides/status-codes/ */
export const grpcStatus = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export type GrpcStatus = (typeof grpcStatus)[keyof typeof grpcStatus];

const ofServeStatus: Readonly<Record<ServeStatus, GrpcStatus>> = {
  UNKNOWN: grpcStatus.UNKNOWN,
  INTERNAL: grpcStatus.INTERNAL,
  NOT_FOUND: grpcStatus.NOT_FOUND,
  INVALID_ARG: grpcStatus.INVALID_ARGUMENT,
  UNAVAILABLE: grpcStatus.UNAVAILABLE,
  UNSUPPORTED: grpcStatus.UNIMPLEMENTED,
  ALREADY_EXISTS: grpcStatus.ALREADY_EXISTS,
  CANCELLED: grpcStatus.CANCELLED,
};

/** A failure that only the transport knows: a malformed frame, a message that is too large. */
export class GrpcError extends Error {
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus, message: string) {
    super(message);
    this.name = "GrpcError";
    this.status = status;
  }
}

/** Code and message of any error, for the trailers. */
export function statusOf(error: unknown): { readonly code: GrpcStatus; readonly message: string } {
  if (error instanceof GrpcError) return { code: error.status, message: error.message };
  if (error instanceof ServeError) {
    return { code: ofServeStatus[error.status], message: error.message };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: grpcStatus.INTERNAL, message };
}

/** Longest `grpc-message`, in bytes before the encoding; clients refuse header lists beyond 8 KiB. */
const maxMessageBytes = 2048;

/** `grpc-message` for the wire: UTF-8, everything but printable ASCII and `%` as `%XX`. */
export function encodeMessage(message: string): string {
  if (message.length <= maxMessageBytes && /^[ -$&-~]*$/.test(message)) return message;
  let text = "";
  for (const byte of Buffer.from(message).subarray(0, maxMessageBytes)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
