import type { Field } from "./hpack-decoder.ts";

/** By lower-case names. Values that came several times are joined, as RFC 9110 section 5.3 says. */
export type Headers = Readonly<Record<string, string | undefined>>;

const pseudo = new Set([":method", ":scheme", ":path", ":authority"]);
const forbidden = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

/**
 * A request's headers, or why they are none.
 *
 * @see RFC 9113 section 8.2 and 8.3
 */
export function requestHeaders(fields: readonly Field[]): Headers | string {
  const headers: Record<string, string> = Object.create(null);
  let isRegular = false;
  for (const [name, value] of fields) {
    if (name.charCodeAt(0) === 0x3a) {
      if (isRegular) return `${name} behind other headers`;
      if (!pseudo.has(name)) return `the unknown ${name}`;
      if (headers[name] !== undefined) return `${name} twice`;
      if (!isValue(value)) return `a malformed value of ${name}`;
      headers[name] = value;
      continue;
    }
    isRegular = true;
    const problem = fieldProblem(name, value);
    if (problem !== undefined) return problem;
    const before = headers[name];
    headers[name] =
      before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`;
  }
  for (const name of [":method", ":scheme", ":path"]) {
    if ((headers[name] ?? "") === "") return `no ${name}`;
  }
  const length = headers["content-length"];
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return "a malformed content-length";
  return headers;
}

/** What is wrong with the fields behind a request's body; undefined if they may be passed over. */
export function trailersProblem(fields: readonly Field[]): string | undefined {
  for (const [name, value] of fields) {
    if (name.startsWith(":")) return `${name} behind the body`;
    const problem = fieldProblem(name, value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function fieldProblem(name: string, value: string): string | undefined {
  if (!isName(name)) return "a header with a malformed name";
  if (forbidden.has(name)) return `the header ${name}`;
  if (name === "te" && value !== "trailers") return "a header te that is not trailers";
  if (!isValue(value)) return `a malformed value of ${name}`;
  return undefined;
}

/** Tokens without capital letters. @see RFC 9110 section 5.6.2 */
const isName = (name: string): boolean => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name);

/** @see RFC 9113 section 8.2.1 */
const isValue = (value: string): boolean => {
  if (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1))) return false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code === 0 || code === 10 || code === 13) return false;
  }
  return true;
};

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;
