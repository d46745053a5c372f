import { HttpError } from "./http-error.ts";

/** A request up to its body. */
export interface RequestHead {
  readonly method: string;
  /** From the first slash on, with the query. */
  readonly target: string;
  /** By lower-case name; the values of one that is repeated are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the body; -1 if it is chunked. */
  readonly bodyBytes: number;
  readonly isHttp10: boolean;
  readonly isKeptAlive: boolean;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly isExpectingContinue: boolean;
}

/** Bytes of a head, at most, with the empty line. */
export const maxHeadBytes = 16 * 1024;

const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP\/(\d)\.(\d)$/;
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
const control = /[\0-\x08\x0a-\x1f\x7f]/;
const outerSpace = /^[ \t]+|[ \t]+$/g;

const refuse = (message: string, status = 400): never => {
  throw new HttpError(status, message);
};

/**
 * Reads a head without its empty line; each byte is one character.
 *
 * @throws HttpError
 * @see https://www.rfc-editor.org/rfc/rfc9112
 */
export function parseHead(text: string): RequestHead {
  const lines = text.split("\r\n");
  const [, method, target, major, minor] =
    requestLine.exec(lines[0]) ?? refuse("the request line is none of HTTP/1.1");
  if (major !== "1") refuse("only HTTP/1.1 and HTTP/1.0 are spoken", 505);
  const isHttp10 = minor === "0";
  const headers = readFields(lines);
  if (!isHttp10 && headers["host"] === undefined) refuse("the header 'Host' is missing");
  const expectation = headers["expect"];
  const isExpectingContinue = expectation !== undefined && !isHttp10;
  if (isExpectingContinue && expectation.toLowerCase() !== "100-continue") {
    refuse(`'Expect: ${expectation.slice(0, 80)}' cannot be met`, 417);
  }
  const connection = headers["connection"]?.toLowerCase().split(/[ \t]*,[ \t]*/) ?? [];
  return {
    method,
    target: pathOf(target),
    headers,
    bodyBytes: bodyBytesOf(headers, isHttp10),
    isHttp10,
    isKeptAlive: isHttp10 ? connection.includes("keep-alive") : !connection.includes("close"),
    isExpectingContinue,
  };
}

/** Headers that a request has once; of others the values are joined. */
const single = new Set(["host", "content-length", "transfer-encoding"]);

function readFields(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i];
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    if (!fieldName.test(name)) refuse("a header's name is malformed, or a header is folded");
    const value = line.slice(colon + 1).replace(outerSpace, "");
    if (control.test(value)) refuse(`the header '${name}' has control characters`);
    const key = name.toLowerCase();
    const known = headers[key];
    if (known !== undefined && single.has(key)) refuse(`the header '${name}' stands twice`);
    headers[key] = known === undefined ? value : `${known}, ${value}`;
  }
  return headers;
}

function bodyBytesOf(headers: Readonly<Record<string, string>>, isHttp10: boolean): number {
  const length = headers["content-length"];
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (length !== undefined) refuse("both 'Content-Length' and 'Transfer-Encoding' are there");
    if (isHttp10) refuse("HTTP/1.0 has no 'Transfer-Encoding'");
    if (coding.toLowerCase() !== "chunked") refuse("the only transfer coding is 'chunked'", 501);
    return -1;
  }
  if (length === undefined) return 0;
  return /^\d{1,15}$/.test(length) ? Number(length) : refuse("'Content-Length' is no number");
}

/** A proxy's client names scheme and host too. */
function pathOf(target: string): string {
  if (target.startsWith("/") || target === "*") return target;
  const [, path] = /^https?:\/\/[^/?#]+(.*)$/i.exec(target) ?? refuse("the request has no path");
  return path.startsWith("/") ? path : `/${path}`;
}
