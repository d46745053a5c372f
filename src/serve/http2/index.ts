export { encodeHeaders } from "./hpack-encoder.ts";
export { Http2Listener } from "./listener.ts";
export type { Headers } from "./request-headers.ts";
export type { Http2Stream, StreamHandler } from "./stream.ts";
