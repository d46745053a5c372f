/** The kinds of failure that Triton tells apart; front ends map them to their own numbers. */
export type ServeStatus =
  | "UNKNOWN"
  | "INTERNAL"
  | "NOT_FOUND"
  | "INVALID_ARG"
  | "UNAVAILABLE"
  | "UNSUPPORTED"
  | "ALREADY_EXISTS"
  | "CANCELLED";

/**
 * A request that cannot be answered. The message is for the client and is one that Triton's clients know,
 * where Triton has one.
 */
export class ServeError extends Error {
  readonly status: ServeStatus;

  constructor(status: ServeStatus, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ServeError";
    this.status = status;
  }
}

/** Any error as one that a client may see. What is not a `ServeError` is INTERNAL, with its message. */
export function asServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ServeError("INTERNAL", message, { cause: error });
}
