export { type BodySink, Exchange } from "./exchange.ts";
export { HttpError } from "./http-error.ts";
export { HttpListener } from "./listener.ts";
export type { RequestHead } from "./request-head.ts";
