import type { Exchange } from "../http1/index.ts";
import type { Client } from "../wire/client.ts";
import type { EndpointGroup } from "../wire/restriction.ts";

/** One request, matched to a route. */
export interface RestCall {
  readonly exchange: Exchange;
  /** The parts of the path that the pattern leaves open, decoded; "" where a route has no such part. */
  readonly model: string;
  readonly version: string;
  readonly region: string;
  readonly client: Client;
  /** The body as a JSON object; `{}` if there is none. @throws ServeError, HttpError */
  json(): Promise<Record<string, unknown>>;
  /** Answers with an error. */
  fail(error: unknown): void;
}

/** Gives the JSON of the answer, undefined for an empty one, or `handled` if it answers itself. */
export type Handler = (call: RestCall) => unknown;

/** Returned by a handler that answers by itself. */
export const handled = Symbol("handled");

export interface HttpRoute {
  /** `v2/models/:model/infer` */
  readonly pattern: string;
  readonly group: EndpointGroup;
  readonly verbs: Readonly<Partial<Record<"GET" | "POST", Handler>>>;
}

export interface Match {
  readonly route: HttpRoute;
  readonly model: string;
  readonly version: string;
  readonly region: string;
}

/** Finds routes by path. Fixed words come before open parts: `models/stats` is no model. */
export class Router {
  readonly #byLength = new Map<number, { route: HttpRoute; parts: readonly string[] }[]>();

  constructor(routes: readonly HttpRoute[]) {
    for (const route of routes) {
      const parts = route.pattern.split("/");
      const sameLength = this.#byLength.get(parts.length) ?? [];
      sameLength.push({ route, parts });
      this.#byLength.set(parts.length, sameLength);
    }
  }

  /** @throws URIError for a path with malformed escapes */
  find(url: string): Match | undefined {
    const query = url.indexOf("?");
    const given = (query === -1 ? url : url.slice(0, query)).split("/");
    given.shift(); // The path begins with a slash.
    if (given.at(-1) === "") given.pop();
    for (const { route, parts } of this.#byLength.get(given.length) ?? []) {
      if (!parts.every((part, at) => part.startsWith(":") || part === given[at])) continue;
      const open = { model: "", version: "", region: "" };
      for (let at = 0; at < parts.length; at++) {
        if (!parts[at].startsWith(":")) continue;
        const text = given[at].includes("%") ? decodeURIComponent(given[at]) : given[at];
        open[parts[at].slice(1) as keyof typeof open] = text;
      }
      return { route, ...open };
    }
    return undefined;
  }
}
