/** A failure that only HTTP knows: a malformed head, a verb, a size, a path. */
export class HttpError extends Error {
  readonly status: number;
  /** Whole lines for the answer's head. */
  readonly headers: string;

  constructor(status: number, message: string, { headers = "" } = {}) {
    super(message);
    this.name = "HttpError";
    this.status = status;
    this.headers = headers;
  }
}
