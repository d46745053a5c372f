import { ServeError, type ServeStatus } from "../core/index.ts";
import { HttpError } from "../http1/index.ts";

const ofServeStatus: Readonly<Record<ServeStatus, number>> = {
  UNKNOWN: 400,
  INTERNAL: 500,
  NOT_FOUND: 404,
  INVALID_ARG: 400,
  UNAVAILABLE: 503,
  UNSUPPORTED: 501,
  ALREADY_EXISTS: 400,
  CANCELLED: 400,
};

/** HTTP status of any error. */
export function httpStatusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  return error instanceof ServeError ? ofServeStatus[error.status] : 500;
}

/** A request whose JSON is not what it should be. */
export function badJson(message: string): ServeError {
  return new ServeError("INVALID_ARG", message);
}
